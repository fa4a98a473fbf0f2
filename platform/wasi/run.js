// run.js — runs a program of the preset `wasm` under Node, with the machine's files and environment.
//   node platform/wasi/run.js PROGRAM.wasm [ARGUMENT…]
'use strict';
process.removeAllListeners('warning'); // WASI is called experimental
const fs = require('fs');
const { WASI } = require('wasi');

const [program, ...args] = process.argv.slice(2);
const wasi = new WASI({
  version: 'preview1', args: ['thaw', ...args], env: { ...process.env, PWD: process.cwd() }, returnOnExit: true,
  preopens: { '/': '/' },
});
WebAssembly.compile(fs.readFileSync(program))
  .then((module) => WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.wasiImport }))
  .then((instance) => { process.exitCode = wasi.start(instance); });
