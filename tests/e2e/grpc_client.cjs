// Unary gRPC calls with @grpc/grpc-js: `node grpc_client.cjs TARGET CA METHOD REQUEST OPTIONS`.
// REQUEST is hex; OPTIONS is JSON: metadata, count, deadline_ms, gzip. Prints JSON.
const grpc = require("@grpc/grpc-js");
const fs = require("fs");

const [target, ca, method, request, optionsText] = process.argv.slice(2);
const options = JSON.parse(optionsText || "{}");
const credentials = ca ? grpc.credentials.createSsl(fs.readFileSync(ca)) : grpc.credentials.createInsecure();
const channel = options.gzip ? { "grpc.default_compression_algorithm": 2 } : {};
const client = new grpc.Client(target, credentials, channel);
const metadata = new grpc.Metadata();
for (const [k, v] of Object.entries(options.metadata || {})) metadata.set(k, v);

const call = () => new Promise((resolve) => {
  const deadline = Date.now() + (options.deadline_ms || 20000);
  client.makeUnaryRequest(method, (b) => b, (b) => b, Buffer.from(request, "hex"), metadata, { deadline },
    (err, reply) => resolve(err ? { code: err.code, details: err.details } : { code: 0, reply: reply.toString("hex") }));
});

Promise.all(Array.from({ length: options.count || 1 }, call)).then((answers) => {
  const same = answers.every((a) => JSON.stringify(a) === JSON.stringify(answers[0]));
  console.log(JSON.stringify({ ...answers[0], same, count: answers.length }));
  client.close();
});
