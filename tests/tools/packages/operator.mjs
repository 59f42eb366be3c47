// Checks documents (a JSON list on stdin) by the schemas and types of the Prometheus operator, from the folder with node_modules.
// Prints each fault; exit 1 if there is one.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const folder = "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
// The modules stand where the script is run, not where it lies.
const require = createRequire(join(process.cwd(), "package.json"));
const models = await import(join(process.cwd(), "node_modules", folder, "index.js"));
const ts = require("typescript");
const documents = JSON.parse(readFileSync(0, "utf8"));
const faults = [];

for (const document of documents) {
  try {
    new models[document.kind](document).validate();
  } catch (error) {
    faults.push(`${document.kind}/${document.metadata.name}: ${error.message}`);
  }
}

// The schemas let unknown keys pass; the types do not where a literal is assigned.
const file = join(process.cwd(), "documents.ts");
const kinds = [...new Set(documents.map((document) => document.kind))];
const text = [
  `import type { ${kinds.map((kind) => `I${kind}`).join(", ")} } from "${folder}";`,
  ...documents.map((document, i) => `export const d${i}: I${document.kind} = ${JSON.stringify(document, null, 1)};`),
].join("\n");
const options = {
  strict: true,
  skipLibCheck: true,
  types: [],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
};
const host = ts.createCompilerHost(options);
const read = host.getSourceFile.bind(host);
host.getSourceFile = (name, ...rest) => (name === file ? ts.createSourceFile(name, text, options.target) : read(name, ...rest));
for (const { messageText, start } of ts.getPreEmitDiagnostics(ts.createProgram([file], options, host))) {
  const line = text.slice(start).split("\n", 1)[0];
  faults.push(`${ts.flattenDiagnosticMessageText(messageText, " ")} At: ${line}`);
}

for (const fault of faults) console.error(fault);
process.exit(faults.length > 0 ? 1 : 0);
