/** A real FreeRADIUS server as a process of the test: a configuration of its own in a temporary folder, on ports nobody has. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

export const FREERADIUS_SECRET = "not-a-secret-7f3a";
const READY = /Ready to process requests/;
const START_LIMIT_MS = 20_000;

/** Debian's modules; everything else is in the folder. */
function configuration(folder: string, authenticationPort: number, accountingPort: number): string {
  const listen = (type: string, port: number) => `listen {\n type = ${type}\n ipaddr = 127.0.0.1\n port = ${port}\n}`;
  return `
prefix = /usr
libdir = /usr/lib/freeradius
logdir = ${folder}
raddbdir = ${folder}
run_dir = ${folder}
max_request_time = 5
security {
  allow_vulnerable_openssl = yes
  reject_delay = 0
}
thread pool {
  start_servers = 1
  max_servers = 2
  min_spare_servers = 1
  max_spare_servers = 1
}
client test {
  ipaddr = 127.0.0.1
  secret = ${FREERADIUS_SECRET}
  require_message_authenticator = yes
}
modules {
  pap {
  }
  chap {
  }
  mschap {
    use_mppe = yes
    require_encryption = yes
    require_strong = yes
  }
  files {
    usersfile = ${folder}/users
  }
  detail {
    filename = ${folder}/detail
    permissions = 0600
  }
}
server default {
  ${listen("auth", authenticationPort)}
  ${listen("acct", accountingPort)}
  authorize {
    files
    chap
    mschap
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
    Auth-Type CHAP {
      chap
    }
    Auth-Type MS-CHAP {
      mschap
    }
  }
  post-auth {
    update reply {
      Message-Authenticator := 0x00
    }
    Post-Auth-Type REJECT {
      update reply {
        Message-Authenticator := 0x00
      }
    }
  }
  accounting {
    detail
  }
}
`;
}

export class FreeRadius {
  readonly authenticationPort: number;
  readonly accountingPort: number;
  readonly #folder: string;
  readonly #process: ChildProcess;
  #output = "";

  private constructor(folder: string, child: ChildProcess, authenticationPort: number, accountingPort: number) {
    this.#folder = folder;
    this.#process = child;
    this.authenticationPort = authenticationPort;
    this.accountingPort = accountingPort;
  }

  /** `users`: the text of FreeRADIUS's users file. */
  static async start(users: string): Promise<FreeRadius> {
    const folder = mkdtempSync(join(tmpdir(), "freeradius-"));
    const [authenticationPort, accountingPort] = await freePorts();
    writeFileSync(join(folder, "radiusd.conf"), configuration(folder, authenticationPort, accountingPort));
    writeFileSync(join(folder, "dictionary"), "$INCLUDE /usr/share/freeradius/dictionary\n");
    writeFileSync(join(folder, "users"), users);
    const child = spawn("freeradius", ["-f", "-x", "-l", "stdout", "-n", "radiusd", "-d", folder], {
      env: { PATH: process.env["PATH"] },
    });
    const server = new FreeRadius(folder, child, authenticationPort, accountingPort);
    try {
      await server.#ready();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** What it wrote about accounting so far, one record per empty line. */
  get detail(): readonly string[] {
    try {
      return readFileSync(join(this.#folder, "detail"), "utf8").trim().split(/\n\n+/);
    } catch {
      return []; // no record came yet
    }
  }
  get output(): string {
    return this.#output;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("close", resolve));
    if (this.#process.pid !== undefined && this.#process.exitCode === null && this.#process.kill()) await ended;
    rmSync(this.#folder, { recursive: true });
  }

  #ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (why: string) => reject(new Error(`freeradius ${why}:\n${this.#output.slice(-3000)}`));
      const limit = setTimeout(() => failed("is not ready in time"), START_LIMIT_MS);
      const listen = (text: string): void => {
        this.#output += text;
        if (!READY.test(this.#output)) return;
        clearTimeout(limit);
        resolve();
      };
      for (const stream of [this.#process.stdout, this.#process.stderr]) stream?.setEncoding("utf8").on("data", listen);
      this.#process.once("error", ({ message }) => failed(message));
      this.#process.once("close", (status) => {
        clearTimeout(limit);
        failed(`ended with status ${status}`);
      });
    });
  }
}

/** `radclient disconnect` or `coa`: what it printed. */
export function radclient(port: number, command: "disconnect" | "coa", attributes: string): Promise<string> {
  const args = ["-x", "-r", "1", "-t", "3", `127.0.0.1:${port}`, command, FREERADIUS_SECRET];
  const child = spawn("radclient", args);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  child.stdin.end(attributes);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve(output));
  });
}

/** Two UDP ports of this machine that were free a moment ago. */
export async function freePorts(): Promise<[number, number]> {
  const sockets = [createSocket("udp4"), createSocket("udp4")] as const;
  const ports = await Promise.all(
    sockets.map(
      (socket) => new Promise<number>((resolve) => socket.bind(0, "127.0.0.1", () => resolve(socket.address().port))),
    ),
  );
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  const [first, second] = ports;
  assert.ok(first !== undefined && second !== undefined);
  return [first, second];
}
