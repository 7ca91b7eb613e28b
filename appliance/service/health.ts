/**
 * Whether a firmware on trial does what the one before it did: a tree of questions like router7's diagd, each asked of the service
 * itself and not of our own idea of it. A new firmware commits only when none of them has a complaint.
 */
import type { Config } from "../config/config.ts";
import { flag, integer, prefix, vpnSettings } from "../config/settings.ts";
import type { ControlTransport, Net, Timers } from "../ports.ts";
import { emitControlMessage, PROTOCOL_VERSION, parseControlMessage } from "../wire/control-message.ts";
import { formatIpv4, Ipv4 } from "../wire/ipv4.ts";

const PPTP_PORT = 1723;
/** RFC 2637 §2.2: the Result Code of a connection that was let in. */
const START_SUCCESSFUL = 1;
const ANSWER_WITHIN_MS = 5000;

/** What was there before the update, and is expected of it. */
export interface Expected {
  readonly defaultRoute: boolean;
}

export interface HealthParts {
  readonly net: Net;
  readonly control: ControlTransport;
  readonly timers: Timers;
  /** The console was given its first prompt. */
  readonly consoleStarted: () => boolean;
}

/** What is not as it should be, a clause each; empty when the device is healthy. */
export async function complaints(config: Config, expected: Expected, parts: HealthParts): Promise<readonly string[]> {
  const { net, consoleStarted } = parts;
  const found: (string | undefined)[] = [];
  if (!consoleStarted()) found.push("the console did not start");
  const lan = prefix(config, "interfaces lan address");
  if (lan !== undefined && !hasAddress(net, lan.address))
    found.push(`no interface has the LAN address ${formatIpv4(lan.address)}`);
  if (vpnSettings(config).server.enabled) found.push(await pptpComplaint(parts));
  if (lan !== undefined && flag(config, "system ssh enabled"))
    found.push(await sshComplaint(lan.address, integer(config, "system ssh port") ?? 22, parts));
  if (expected.defaultRoute && net.defaultGateway() === undefined)
    found.push("there is no default route, and there was one before the update");
  return found.filter((each) => each !== undefined);
}

function hasAddress(net: Net, address: Ipv4): boolean {
  return net.interfaces().some(({ addresses }) => addresses.some((each) => each.address === address));
}

/** A Start-Control-Connection-Request as any client sends it (RFC 2637 §2.1), and the reply to it. */
async function pptpComplaint(parts: HealthParts): Promise<string | undefined> {
  const request = emitControlMessage({
    type: "start-control-connection-request",
    protocolVersion: PROTOCOL_VERSION,
    framingCapabilities: 1,
    bearerCapabilities: 1,
    maximumChannels: 0,
    firmwareRevision: 0,
    hostName: "health check",
    vendorName: "Culvert",
  });
  const answer = await ask(parts, LOOPBACK, PPTP_PORT, request, (bytes) => {
    const parsed = parseControlMessage(bytes);
    return parsed.ok && parsed.value.type === "start-control-connection-reply"
      ? parsed.value.resultCode === START_SUCCESSFUL
      : undefined;
  });
  return answer === undefined ? undefined : `the PPTP service ${answer}`;
}

/** RFC 4253 §4.2: the server says its version first. */
async function sshComplaint(address: Ipv4, port: number, parts: HealthParts): Promise<string | undefined> {
  const answer = await ask(parts, address, port, undefined, (bytes) => {
    const text = bytes.toString("latin1");
    return text.length < 4 ? undefined : text.startsWith("SSH-");
  });
  return answer === undefined ? undefined : `the SSH service ${answer}`;
}

const LOOPBACK = Ipv4(0x7f000001);

/** What is wrong with the answer, as the end of a sentence; undefined when it is right. `judge` is undefined of half an answer. */
function ask(
  { control, timers }: HealthParts,
  address: Ipv4,
  port: number,
  question: Buffer | undefined,
  judge: (bytes: Buffer) => boolean | undefined,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let received: Buffer = Buffer.alloc(0);
    let giveUp = (): void => {};
    const finish = (complaint: string | undefined): void => {
      timer.cancel();
      giveUp();
      resolve(complaint);
    };
    const timer = timers.after(ANSWER_WITHIN_MS, () => finish(`does not answer on port ${port}`));
    const attempt = control.connect(
      address,
      port,
      (socket) => {
        giveUp = () => socket.destroy();
        if (question !== undefined) socket.write(question);
        return {
          data: (bytes) => {
            received = Buffer.concat([received, bytes]);
            const right = judge(received);
            if (right !== undefined) finish(right ? undefined : `gives a wrong answer on port ${port}`);
          },
          closed: () => finish(`hangs up on port ${port}`),
        };
      },
      (error) => finish(`cannot be reached: ${error.message}`),
    );
    giveUp = () => attempt.abort();
  });
}
