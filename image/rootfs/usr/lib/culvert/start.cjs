/**
 * Starts the app, quickly: most of a start is V8 compiling it, so what V8 made of it at an earlier start is kept on /data and
 * given back to it, the code cache. It is never needed: one that is missing, torn, of another app or another Node, or that
 * cannot be written, costs time and a line in the log. And Node's own large modules are loaded when the app first touches
 * them, or a little later. Plain JavaScript, as it runs before everything else and is copied as it is.
 */
"use strict";
const fs = require("node:fs");
const { dirname, join } = require("node:path");
const vm = require("node:vm");

/** By then the console is up: the cache holds what has run, and the modules that nobody touched yet are loaded before it is made. */
const LATER_MS = 20_000;
/** The running slot's and the other one's. */
const KEPT = 2;
/** A cache must not be what fills the disk. */
const FREE_AT_LEAST_BYTES = 16 * 1024 * 1024;
/** In front of a cache: its sum, 32 bits, and nothing behind it, so that V8 finds its data aligned. */
const HEADER_BYTES = 16;
/** Modules of Node that cost more than a millisecond each and that a start can do without. */
const LATER = /^node:(?:child_process|crypto|dgram|net|readline|util|zlib)$/;
/** From Node 20 on V8 checks a cache's length only, and would run what a bad block left of it. Before, it sums the data itself. */
const V8_SUMS = Number.parseInt(process.versions.node, 10) < 20;

/**
 * FNV-1a over words of 32 bits. Every step is reversible, so one changed word always changes the sum: enough against power
 * cuts and bad blocks. A SHA-256 would have to load node:crypto first, a quarter of the app's start.
 */
function sumOf(data) {
  const words = new Uint32Array(data.buffer.slice(data.byteOffset, data.byteOffset + (data.length & ~3)));
  let sum = 0x811c9dc5 ^ data.length;
  for (let at = 0; at < words.length; at++) sum = Math.imul(sum ^ words[at], 0x01000193);
  for (const byte of data.subarray(data.length & ~3)) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum >>> 0;
}

/** The cache, or why there is none; neither when nobody made one yet. */
function readCache(file) {
  let bytes;
  try {
    bytes = fs.readFileSync(file);
  } catch (error) {
    return { reason: error.code === "ENOENT" ? undefined : `cannot be read: ${error.message}` };
  }
  const data = bytes.subarray(HEADER_BYTES);
  if (data.length === 0 || (!V8_SUMS && bytes.readUInt32LE(0) !== sumOf(data))) return { reason: "is damaged" };
  return { data };
}

/** Complete or not at all, and older ones go. */
function writeCache(file, data) {
  const folder = dirname(file);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { bavail, bsize } = fs.statfsSync(folder);
  if (bavail * bsize < FREE_AT_LEAST_BYTES + data.length) throw new Error("the disk is nearly full");
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(sumOf(data), 0);
  const partial = `${file}.new`;
  const fd = fs.openSync(partial, "w", 0o600);
  try {
    fs.writeFileSync(fd, Buffer.concat([header, data]));
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(partial, file);
  const aged = fs
    .readdirSync(folder)
    .map((name) => ({ path: join(folder, name), at: fs.statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of aged.slice(KEPT)) fs.rmSync(path);
}

/**
 * Stands for a module until somebody asks for one of its properties, and has them as its own from then on. This serves how
 * esbuild writes imports by name: `node_net.createServer`, asked anew at each use.
 */
function later(load) {
  const standIn = Object.create(
    new Proxy(Object.create(null), {
      get(_target, name) {
        const module = load();
        Object.defineProperties(standIn, Object.getOwnPropertyDescriptors(module));
        Object.setPrototypeOf(standIn, Object.prototype);
        return module[name];
      },
    }),
  );
  return standIn;
}

/** What Node puts around a CommonJS program; asking node:module for it costs two milliseconds. */
function wrap(source) {
  return `(function (exports, require, module, __filename, __dirname) { ${source}\n});`;
}

/**
 * Runs the CommonJS program `app`, which is ASCII and asks for Node's own modules only. `identity` names its content; `folder` is
 * the cache's. `note(level, text)` is told what became of it.
 */
function start({ app, identity, folder, laterMs, note }) {
  const { node, v8 } = process.versions;
  // V8 itself refuses what was made with other flags.
  const file = join(folder, `${identity}-${node}-${v8}-${process.arch}`);
  const { data, reason } = readCache(file);
  // esbuild writes ASCII, and looking for UTF-8 in it would be a tenth of the start.
  const source = wrap(fs.readFileSync(app, "latin1"));
  const script = new vm.Script(source, { filename: app, ...(data === undefined ? {} : { cachedData: data }) });
  if (script.cachedDataRejected)
    note("warning", "V8 refused the code cache: this start took longer, a new one is made");
  else if (data !== undefined) note("info", "started from the code cache");
  else if (reason !== undefined) note("warning", `the code cache ${reason}: this start took longer`);

  const put = new Set();
  const requireLater = (name) => {
    // The same object. Node's own require of it would read each property, and with that open three streams.
    if (name === "node:process") return process;
    if (!LATER.test(name)) return require(name);
    put.add(name);
    return later(() => require(name));
  };
  setTimeout(() => {
    for (const name of put) require(name);
    if (data !== undefined && !script.cachedDataRejected) return;
    try {
      const made = script.createCachedData();
      writeCache(file, made);
      note("info", `code cache made, ${Math.round(made.length / 1000)} kB: the next start is faster`);
    } catch (error) {
      note("warning", `no code cache: ${error.message}: starts take longer`);
    }
  }, laterMs).unref();
  const module = { exports: {} };
  script.runInThisContext()(module.exports, requireLater, module, app, dirname(app));
}

/** The app's SHA-256 as the build recorded it: nothing here is hashed at a start. */
function recordedIdentity(file) {
  return JSON.parse(fs.readFileSync(file, "utf8")).sha256["culvert.cjs"].slice(0, 32);
}

if (require.main === module) {
  const waiting = [];
  let listener = (each) => waiting.push(each);
  globalThis[Symbol.for("culvert.start")] = {
    /** For the app: hears every line, those that came before too. */
    listen(hear) {
      listener = hear;
      for (const each of waiting.splice(0)) hear(each);
    },
  };
  start({
    app: join(__dirname, "culvert.cjs"),
    identity: recordedIdentity(join(__dirname, "build.json")),
    folder: join(process.env.CULVERT_DATA ?? "/data", "code-cache"),
    laterMs: LATER_MS,
    note: (level, text) => listener({ level, text }),
  });
} else {
  module.exports = { start };
}
