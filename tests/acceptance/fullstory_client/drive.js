// FullStory's own client, unmodified: imports the batch that stdin holds, and says as JSON lines on stdout what its listeners hear.
"use strict";

const { init } = require("@fullstory/server-api-client");

function say(heard, said) {
  process.stdout.write(JSON.stringify({ heard, ...said }) + "\n");
}

const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", () => {
  const { apiKey, body, includeSchema, options } = JSON.parse(Buffer.concat(chunks).toString());
  const job = init({ apiKey }).events.batchCreate({ body, includeSchema }, options);
  job
    .on("created", (made) => say("created", { job: made.metadata }))
    .on("processing", () => say("processing", {}))
    .on("error", (error) => say("error", { name: error.name, status: error.httpStatusCode, payload: error.fsErrorPayload }))
    .on("abort", () => say("abort", {}))
    .on("done", (imports, failures) => say("done", { job: job.metadata, imports, failures }))
    .execute();
});
