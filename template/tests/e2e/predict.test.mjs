import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { models, post } from "./service.mjs";

const DIGEST = /^sha256:[0-9a-f]{64}$/;

async function assertProblem(response, status) {
  assert.equal(response.status, status);
  assert.match(response.headers.get("content-type"), /^application\/problem\+json/);
  const problem = await response.json();
  assert.equal(problem.status, status);
  assert.equal(problem.request_id, response.headers.get("x-request-id"));
  return problem;
}

// RFC 6901: the place of a feature in the request's body.
function pointer(feature) {
  return "/" + feature.replaceAll("~", "~0").replaceAll("/", "~1");
}

function assertPrediction(model, prediction) {
  if (model.task === "classification") {
    assert.ok(model.classes.includes(prediction), `${prediction} is no class of ${model.name}`);
  } else if (model.task === "multioutput_regression") {
    assert.deepEqual(Object.keys(prediction).sort(), [...model.outputs].sort());
    assert.ok(Object.values(prediction).every(Number.isFinite));
  } else {
    assert.ok(Number.isFinite(prediction), `${prediction} is no number`);
  }
}

for (const model of models) {
  describe(model.name, () => {
    const batch = `${model.endpoint}/batch`;

    test("predicts one instance", async () => {
      const response = await post(model.endpoint, model.example);

      assert.equal(response.status, 200);
      assert.match(response.headers.get("x-model-digest"), DIGEST);
      const answer = await response.json();
      assertPrediction(model, answer.prediction);
      if (model.task === "classification") {
        assert.deepEqual(
          Object.keys(answer.probabilities ?? answer.scores).sort(),
          model.outputs.map(String).sort(),
        );
      }
    });

    test("predicts the instances of a batch in order", async () => {
      const response = await post(batch, { instances: [model.example, model.example] });

      assert.equal(response.status, 200);
      const { predictions } = await response.json();
      assert.equal(predictions.length, 2);
      predictions.forEach((prediction) => assertPrediction(model, prediction));
      assert.deepEqual(predictions[0], predictions[1]);
    });

    test("predicts columns as it predicts rows", async () => {
      const columns = Object.fromEntries(
        Object.entries(model.example).map(([name, value]) => [name, [value, value]]),
      );

      const byRow = await post(batch, { instances: [model.example, model.example] });
      const byColumn = await post(batch, { columns });

      assert.equal(byColumn.status, 200);
      assert.deepEqual(await byColumn.json(), await byRow.json());
    });

    test("names a missing feature by its pointer", async () => {
      const [missing, ...rest] = Object.keys(model.example);
      const body = Object.fromEntries(rest.map((name) => [name, model.example[name]]));

      const problem = await assertProblem(await post(model.endpoint, body), 422);

      assert.deepEqual(problem.errors.map((error) => error.pointer), [pointer(missing)]);
    });

    test("refuses a body that is not JSON", async () => {
      await assertProblem(await post(model.endpoint, "{"), 422);
    });
  });
}
