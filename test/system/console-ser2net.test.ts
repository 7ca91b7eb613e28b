/** RFC 2217 against Debian's ser2net, which serves one end of a pseudo terminal; the test plays the board at the other. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { openTransport } from "../../hil/console/transport/open.ts";
import { Fault } from "../../hil/fault.ts";
import { Pty } from "../hil/pty.ts";
import { temporaryFolder, until } from "../support/lab-run.ts";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

test("RFC 2217 through ser2net: bytes both ways, rates, and the server that dies", async (t) => {
  if (spawnSync("ser2net", ["-v"]).error !== undefined) return t.skip("ser2net is not installed");
  const pty = await Pty.open();
  const port = await freePort();
  const config = join(temporaryFolder(), "ser2net.yaml");
  writeFileSync(
    config,
    `connection: &board
  accepter: telnet(rfc2217),tcp,127.0.0.1,${port}
  connector: serialdev,${pty.path},115200n81,local
  options:
    kickolduser: true
`,
  );
  const server = spawn("ser2net", ["-n", "-d", "-c", config], { stdio: "ignore" });
  try {
    let isUp = false;
    const look = async (): Promise<void> => {
      while (!isUp && server.exitCode === null) isUp = await accepts(port);
    };
    void look();
    await until(
      () => isUp,
      10_000,
      () => `ser2net did not listen: exit status ${server.exitCode}`,
    );
    const line = await openTransport({ rfc2217: `127.0.0.1:${port}`, baud: 57_600 });
    await until(
      () => pty.baud === 57_600,
      5_000,
      () => `the port is at ${pty.baud} baud`,
    );
    const all = Buffer.from(Array.from({ length: 1024 }, (_, index) => index & 255));
    const atBoard: Buffer[] = [];
    pty.received = (bytes) => void atBoard.push(bytes);
    line.write(all);
    await until(
      () => Buffer.concat(atBoard).length >= all.length,
      5_000,
      () => `${Buffer.concat(atBoard).length} bytes arrived`,
    );
    assert.deepEqual(Buffer.concat(atBoard), all);
    const atHost: Buffer[] = [];
    line.on("data", (bytes: Buffer) => void atHost.push(bytes));
    pty.send(all);
    await until(
      () => Buffer.concat(atHost).length >= all.length,
      5_000,
      () => `${Buffer.concat(atHost).length} bytes came back`,
    );
    assert.deepEqual(Buffer.concat(atHost), all);
    await line.set({ baud: 9600 });
    assert.equal(pty.baud, 9600);
    const failed = once(line, "error");
    server.kill("SIGKILL");
    const [error] = await failed;
    assert.ok(error instanceof Fault && error.faultClass === "bench", String(error));
  } finally {
    server.kill("SIGKILL");
    await pty.close();
  }
});
