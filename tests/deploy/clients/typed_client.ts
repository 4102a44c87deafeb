// The default service through the types that openapi-typescript writes of it, and openapi-fetch.
import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

type Schemas = components["schemas"];
type Asked = { progression: Schemas["ProgressionInstance"][]; iris: Schemas["IrisInstance"][] };

const baseUrl = process.argv[2];
const asked: Asked = JSON.parse(process.argv[3] ?? "");
const client = createClient<paths>({ baseUrl });

const numbers: number[] = [];
for (const body of asked.progression) {
  const { data, error } = await client.POST("/predict/progression", { body });
  if (!data) throw new Error(error.detail);
  numbers.push(data.prediction);
}

const classes: ("setosa" | "versicolor" | "virginica")[] = [];
for (const body of asked.iris) {
  const { data, error } = await client.POST("/predict/iris", { body });
  if (!data) throw new Error(error.detail);
  classes.push(data.prediction);
}

const batch = await client.POST("/predict/progression/batch", {
  body: { instances: asked.progression },
});
if (!batch.data) throw new Error(batch.error.detail);

// @ts-expect-error A feature that is not there is found before anything is sent.
const wrong: Schemas["ProgressionInstance"] = { ...asked.progression[0]!, age: undefined };
const refused = await client.POST("/predict/progression", { body: wrong });
if (refused.error?.status !== 422) throw new Error("a missing feature was accepted");

const answers = {
  progression: numbers,
  "progression, batch": batch.data.predictions,
  iris: classes,
};
console.log(JSON.stringify(answers));
