/** Programs that we did not write judge our server's answer: nmap's pptp-version asks it, tshark reads the bytes. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { tcpControlTransport } from "../../appliance/linux/control-transport.ts";
import { Millis } from "../../appliance/ports.ts";
import type { Effect } from "../../appliance/tunnel/effect.ts";
import { ConnectionId } from "../../appliance/tunnel/effect.ts";
import { PptpServer } from "../../appliance/tunnel/server.ts";
import { emitControlMessage } from "../../appliance/wire/control-message.ts";
import { systemClock } from "../../hil/clock.ts";
import { CaptureFile } from "../../hil/net/capture-file.ts";
import { ECHO_REQUEST, SET_LINK_INFO, tcpFrame } from "../hil/link-bench.ts";
import { inNetworkNamespace } from "../support/network-namespace.ts";
import { SERVER_SETTINGS } from "../support/scripted-caller.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const run = promisify(execFile);

await inNetworkNamespace(() => {
  test("nmap's pptp-version knows the server as PPTP and reads its Start-Control-Connection-Reply", async (t) => {
    const server = new PptpServer(SERVER_SETTINGS, new SeededRandom(1));
    const now = Millis(0);
    let next = 1;
    const listener = tcpControlTransport.listen(
      1723,
      (socket) => {
        const connection = ConnectionId(next++);
        const carryOut = (effects: readonly Effect[]): void => {
          for (const effect of effects) {
            if (effect.type === "send-control") socket.write(effect.bytes);
            if (effect.type === "close-control") socket.end();
          }
        };
        const { accepted, effects } = server.accept(connection, socket.local, socket.peer, now);
        assert.ok(accepted);
        carryOut(effects);
        return {
          data: (bytes) => carryOut(server.received(connection, bytes, now)),
          closed: (reason) => carryOut(server.disconnected(connection, reason, now)),
        };
      },
      (error) => assert.fail(error),
    );
    t.after(() => listener.close());
    const { stdout } = await run("nmap", ["-Pn", "-n", "-p", "1723", "--script", "pptp-version", "127.0.0.1"]);
    assert.match(stdout, /1723\/tcp open\s+pptp/);
    const { stdout: version } = await run("nmap", [
      "-Pn",
      "-n",
      "-sV",
      "-p",
      "1723",
      "--script",
      "pptp-version",
      "127.0.0.1",
    ]);
    assert.match(version, /1723\/tcp open\s+pptp\s+\S+/, version);
  });

  const folder = mkdtempSync(join(tmpdir(), "culvert-judges-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("tshark reads our control messages without complaint", async () => {
    const path = join(folder, "control.pcapng");
    const capture = new CaptureFile(path, ["mobile.eth0", "device.wan"], systemClock());
    let sequence = 1;
    for (const message of [ECHO_REQUEST, SET_LINK_INFO]) {
      const bytes = emitControlMessage(message);
      capture.record(0, tcpFrame(sequence, bytes));
      sequence += bytes.length;
    }
    capture.close();
    const { stdout } = await run("tshark", [
      "-r",
      path,
      "-T",
      "fields",
      "-e",
      "pptp.control_message_type",
      "-e",
      "_ws.malformed",
    ]);
    assert.deepEqual(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.trim()),
      ["5", "15"],
    );
  });
});
