// Uploads a file with tus-js-client under Node, and says how it went: one line of JSON.
import { createReadStream } from "node:fs";
import tus from "tus-js-client";

const [endpoint, path, token, filename] = process.argv.slice(2);
const resumed = [];

const upload = new tus.Upload(createReadStream(path), {
    endpoint,
    metadata: { collection: "papers", field: "doc", filename },
    headers: token ? { Authorization: token } : {},
    retryDelays: Array(12).fill(200),
    onAfterResponse: (request, response) => {
        if (request.getMethod() === "HEAD") resumed.push(Number(response.getHeader("Upload-Offset")));
    },
    onError: (error) => {
        console.log(JSON.stringify({ error: String(error), resumed }));
        process.exit(1);
    },
    onSuccess: () => console.log(JSON.stringify({ url: upload.url, resumed })),
});
upload.start();
