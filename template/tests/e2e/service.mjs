// The service under test: BASE_URL says where it runs, API_KEY how to get in if it asks for a key.
import { readFile } from "node:fs/promises";

const baseUrl = process.env.BASE_URL ?? "http://127.0.0.1:8000";
const key = process.env.API_KEY ? { "X-API-Key": process.env.API_KEY } : {};

export const models = JSON.parse(
  await readFile(new URL("models.json", import.meta.url), "utf8"),
);

export function get(path, headers = key) {
  return fetch(baseUrl + path, { headers, signal: AbortSignal.timeout(10_000) });
}

export function post(path, body, headers = key) {
  return fetch(baseUrl + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
}
