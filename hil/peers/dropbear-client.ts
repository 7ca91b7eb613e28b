/** Dropbear's SSH client in a guest: a key of its own, and commands at a device. */
import type { Guest, GuestContents } from "../node/guest.ts";

export const DROPBEAR_CLIENT: Required<Pick<GuestContents, "packages" | "executables">> = {
  packages: ["dropbear-bin", "libc6", "libcrypt1", "libgmp10", "libtomcrypt1", "libtommath1", "zlib1g"],
  executables: ["/usr/bin/dbclient", "/usr/bin/dropbearkey"],
};

const KEY = "/tmp/ssh-key";
const OUTPUT = "/tmp/ssh-output";

/** How a login proves who it is. */
export type SshProof = { readonly by: "key" } | { readonly by: "password"; readonly password: string };

export interface SshResult {
  readonly status: number;
  readonly output: string;
  readonly error: string;
}

/** Makes a key pair; returns the public one as a line of authorized_keys. */
export async function makeSshKey(guest: Guest): Promise<string> {
  const said = await guest.shell.run(`rm -f ${KEY} && dropbearkey -t ed25519 -f ${KEY} 2>/dev/null`, 60_000);
  const line = /^ssh-ed25519 \S+/m.exec(said)?.[0];
  if (line === undefined) throw new Error(`${guest.name}: dropbearkey made no key:\n${said}`);
  return line;
}

/** Runs one command as admin on a device whose host key is taken as it is. What it prints is also in the file that `sshOutput` reads. */
export async function sshCommand(guest: Guest, device: string, command: string, proof: SshProof): Promise<SshResult> {
  const how = proof.by === "key" ? ["-i", KEY] : [];
  const environment = proof.by === "password" ? `DROPBEAR_PASSWORD='${proof.password}' ` : "";
  const line = `${environment}timeout 60 dbclient -y -y ${how.join(" ")} admin@${device} '${command}'`;
  const { status } = await guest.shell.try(`${line} </dev/null >${OUTPUT} 2>${OUTPUT}.error`, 90_000);
  const [output, error] = [await guest.shell.run(`cat ${OUTPUT}`), await guest.shell.run(`cat ${OUTPUT}.error`)];
  return { status, output, error };
}

/** The first bytes of what the last command printed, in hexadecimal, and how many bytes it printed. */
export async function sshOutput(guest: Guest): Promise<{ readonly start: string; readonly bytes: number }> {
  const start = await guest.shell.run(`head -c 8 ${OUTPUT} | hexdump -v -e '1/1 "%02x"'`);
  return { start: start.trim(), bytes: Number(await guest.shell.run(`wc -c <${OUTPUT}`)) };
}
