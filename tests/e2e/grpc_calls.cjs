// gRPC calls one after the other with @grpc/grpc-js: `node grpc_calls.cjs TARGET CALLS`, CALLS being a file with a JSON list of
// {method, request (hex), stream, metadata, deadline_ms}. Prints a list of {code, details, replies (hex)}.
const grpc = require("@grpc/grpc-js");
const fs = require("fs");

const [target, calls] = process.argv.slice(2);
const client = new grpc.Client(target, grpc.credentials.createInsecure());
const same = (b) => b;

function run({ method, request, stream, metadata, deadline_ms }) {
  const headers = new grpc.Metadata();
  for (const [k, v] of Object.entries(metadata || {})) headers.set(k, v);
  const body = Buffer.from(request || "", "hex"), options = { deadline: Date.now() + (deadline_ms || 20000) };
  return new Promise((resolve) => {
    if (!stream) {
      client.makeUnaryRequest(method, same, same, body, headers, options, (err, reply) =>
        resolve(err ? { code: err.code, details: err.details, replies: [] } : { code: 0, replies: [reply.toString("hex")] }));
      return;
    }
    const replies = [];
    const call = client.makeServerStreamRequest(method, same, same, body, headers, options);
    call.on("data", (message) => replies.push(message.toString("hex")));
    call.on("error", (err) => resolve({ code: err.code, details: err.details, replies }));
    call.on("end", () => resolve({ code: 0, replies }));
  });
}

(async () => {
  const answers = [];
  for (const call of JSON.parse(fs.readFileSync(calls))) answers.push(await run(call));
  console.log(JSON.stringify(answers));
  client.close();
})();
