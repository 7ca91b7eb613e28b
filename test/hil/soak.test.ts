/** A slice of the soak: no byte is lost or changed between a UART and the journal. The long one: `test/bench/soak.ts`. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import process from "node:process";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { openTransport } from "../../hil/console/transport/open.ts";
import { soak } from "../support/soak.ts";
import { Pty } from "./pty.ts";

const { CULVERT_SEED } = process.env;
const seed = CULVERT_SEED === undefined ? randomInt(2 ** 31) : Number(CULVERT_SEED);

test("4 MB in random pieces through a console: the journal has every byte", async () => {
  const line = new Duplex({ read: () => {}, write: (_bytes, _encoding, done) => done() });
  const send = (piece: Buffer): Promise<void> => {
    line.push(piece);
    return new Promise((resolve) => setImmediate(resolve));
  };
  const { sent, journaled, journaledBytes } = await soak({ seed, bytes: 4_000_000, largestPiece: 4096 }, line, send);
  assert.equal(journaledBytes, 4_000_000, `CULVERT_SEED=${seed}`);
  assert.equal(journaled, sent, `CULVERT_SEED=${seed}`);
});

test("300 KB through a pseudo terminal and node-serialport at 3 Mbaud: the same", async () => {
  const pty = await Pty.open();
  const line = await openTransport({ serial: pty.path, baud: 3_000_000 });
  try {
    const send = (piece: Buffer): Promise<void> => pty.sendAll(piece);
    const { sent, journaled } = await soak({ seed, bytes: 300_000, largestPiece: 4096 }, line, send);
    assert.equal(journaled, sent, `CULVERT_SEED=${seed}`);
  } finally {
    await line.close();
    await pty.close();
  }
});
