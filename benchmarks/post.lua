-- Posts distinct bodies, one a line in the file that BODIES names, or the whole file where HEADERS
-- says so, or asks without a body; prints its figures as JSON.
local requests = {}
local position = 0

function init(args)
  local headers = {["content-type"] = "application/json"}
  local whole = false
  for name, value in string.gmatch(os.getenv("HEADERS") or "", "([^:\n]+): ([^\n]+)") do
    headers[string.gsub(name, "_", "-")] = value
    whole = true
  end
  local target = os.getenv("TARGET")
  if os.getenv("BODIES") == "/dev/null" then
    requests[1] = wrk.format("GET", target, {})
  elseif whole then
    local file = io.open(os.getenv("BODIES"), "rb")
    requests[1] = wrk.format("POST", target, headers, file:read("*a"))
    file:close()
  else
    for line in io.lines(os.getenv("BODIES")) do
      requests[#requests + 1] = wrk.format("POST", target, headers, line)
    end
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"errors":%d,"p50":%.1f,"p99":%.1f,"p999":%.1f}\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.connect + summary.errors.read + summary.errors.write
      + summary.errors.status + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
