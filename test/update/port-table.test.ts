/** The board's table of sockets: written as it is read, and any other text is no table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emitPortTable, type PortTable, parsePortTable } from "../../appliance/update/port-table.ts";
import { BOARDS } from "../../image/boards/boards.ts";

test("what every board says is read back", () => {
  for (const { ports } of BOARDS) assert.deepEqual(parsePortTable(emitPortTable(ports)), ports);
  const table: PortTable = { ports: [{ port: "lan2", path: "pci-0000:02:00.0" }], others: "none" };
  assert.deepEqual(parsePortTable(emitPortTable(table)), table);
});

test("a damaged table is none, and no text at all is a failure", () => {
  for (const text of [
    "",
    "[]",
    '{"ports":[],"others":"wan"}',
    '{"ports":{},"others":"lan"}',
    '{"ports":[{"port":"lan0","path":"x"}],"others":"lan"}',
    '{"ports":[{"port":"wan","path":""}],"others":"lan"}',
    '{"ports":[{"port":"wan","path":"a"},{"port":"wan","path":"b"}],"others":"lan"}',
  ])
    assert.equal(parsePortTable(text), undefined, text);
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parsePortTable(text)));
});
