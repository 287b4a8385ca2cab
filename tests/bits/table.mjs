// Prints the table of hashes as WebAssembly computes it: node table.mjs FILE.wasm
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

const program = readFileSync(process.argv[2]);
// A library within holds code with relaxed vectors, which is never run but has to be read. Older Nodes have to be
// asked to.
if (!WebAssembly.validate(program)) setFlagsFromString("--experimental-wasm-relaxed-simd");
const { instance } = await WebAssembly.instantiate(program, {});
const { memory, table_of_bits } = instance.exports;
// The address is a number without sign; the length stands before the text.
const at = table_of_bits() >>> 0;
const length = new DataView(memory.buffer).getUint32(at - 4, true);
process.stdout.write(new TextDecoder().decode(new Uint8Array(memory.buffer, at, length)));
