-- Posts distinct bodies, one a line in the file that BODIES names, and prints its figures as JSON.
local bodies = {}
local thread_count = 0

function setup(thread)
  thread:set("offset", thread_count * 131)
  thread_count = thread_count + 1
end

function init(args)
  for line in io.lines(os.getenv("BODIES")) do
    bodies[#bodies + 1] = wrk.format("POST", os.getenv("TARGET"), {["content-type"] = "application/json"}, line)
  end
  position = offset
end

function request()
  position = position % #bodies + 1
  return bodies[position]
end

function done(summary, latency)
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"errors":%d,"p50":%.1f,"p99":%.1f,"p999":%.1f}\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.connect + summary.errors.read + summary.errors.write
      + summary.errors.status + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
