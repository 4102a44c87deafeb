// Load on every model's endpoint, singly, against the service that runs at BASE_URL:
//   smoke     ten requests a second: does it answer?
//   load      up to RATE requests a second: does it answer fast and without an error?
//   overload  four times RATE: does it refuse (503) what it cannot serve, and serve the rest in time?
import { check } from "k6";
import exec from "k6/execution";
import http from "k6/http";

const baseUrl = __ENV.BASE_URL || "http://127.0.0.1:8000";
const profile = __ENV.PROFILE || "smoke";
const rate = Number(__ENV.RATE || 200);
const report = __ENV.REPORT || `${profile}.json`;

const models = JSON.parse(open("../e2e/models.json"));
const requests = models.map((model) => ({
  url: baseUrl + model.endpoint,
  body: JSON.stringify(model.example),
  params: {
    headers: {
      "Content-Type": "application/json",
      ...(__ENV.API_KEY ? { "X-API-Key": __ENV.API_KEY } : {}),
    },
    tags: { name: model.endpoint, model: model.name },
    // The service's own deadline is 10 seconds: an answer must come before this.
    timeout: "15s",
  },
}));

const profiles = {
  smoke: {
    scenario: {
      executor: "constant-arrival-rate",
      rate: 10,
      timeUnit: "1s",
      duration: "5s",
      preAllocatedVUs: 5,
    },
    thresholds: { checks: ["rate==1"], http_req_failed: ["rate==0"] },
  },
  load: {
    scenario: {
      executor: "ramping-arrival-rate",
      startRate: 1,
      timeUnit: "1s",
      preAllocatedVUs: 50,
      maxVUs: 500,
      stages: [
        { target: rate, duration: "15s" },
        { target: rate, duration: "45s" },
        { target: 0, duration: "5s" },
      ],
    },
    thresholds: {
      checks: ["rate==1"],
      http_req_failed: ["rate==0"],
      http_req_duration: ["p(95)<100", "p(99)<250"],
      dropped_iterations: ["count==0"],
    },
  },
  overload: {
    scenario: {
      executor: "constant-arrival-rate",
      rate: 4 * rate,
      timeUnit: "1s",
      duration: "30s",
      preAllocatedVUs: 200,
      maxVUs: 2000,
    },
    // Refusing is right here; any other failure, or an answer after the deadline, is not.
    expected: [200, 503],
    thresholds: {
      checks: ["rate==1"],
      http_req_failed: ["rate==0"],
      http_req_duration: ["p(99)<10000"],
    },
  },
};

if (!(profile in profiles)) {
  throw new Error(`PROFILE is ${profile}, not one of ${Object.keys(profiles).join(", ")}`);
}
const { scenario, thresholds, expected = [200] } = profiles[profile];
http.setResponseCallback(http.expectedStatuses(...expected));

export const options = {
  scenarios: { [profile]: scenario },
  thresholds,
  summaryTrendStats: ["avg", "med", "p(95)", "p(99)", "max"],
};

export function setup() {
  if (http.get(`${baseUrl}/readyz`).status !== 200) {
    exec.test.abort(`nothing is ready at ${baseUrl}`);
  }
}

export default function () {
  const { url, body, params } = requests[exec.scenario.iterationInTest % requests.length];
  const response = http.post(url, body, params);
  check(response, {
    "answers as expected": ({ status }) => expected.includes(status),
    "names the model's digest": ({ headers }) => headers["X-Model-Digest"]?.startsWith("sha256:"),
  });
}

export function handleSummary(data) {
  const { http_reqs: reqs, http_req_duration: duration, http_req_failed: failed } = data.metrics;
  if (!duration) {
    return {};
  }
  const broken = Object.entries(data.metrics).flatMap(([name, metric]) =>
    Object.entries(metric.thresholds ?? {})
      .filter(([, { ok }]) => !ok)
      .map(([threshold]) => `  ${name}: not ${threshold}`),
  );
  const lines = [
    `${profile}: ${reqs.values.count} requests, ${reqs.values.rate.toFixed(0)} a second`,
    `  median ${duration.values.med.toFixed(1)} ms, 99 % under ${duration.values["p(99)"].toFixed(1)} ms`,
    `  ${failed.values.passes} unexpected answers`,
    ...broken,
  ];
  return { stdout: lines.join("\n") + "\n", [report]: JSON.stringify(data, null, 2) };
}
