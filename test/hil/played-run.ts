/** A run as the lab records it, played without machines: a real journal, link, trap and captures; every byte of the call is made here. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { emitCcpOption, MppeBit } from "../../appliance/wire/ccp-option.ts";
import { ChapCode, emitChapValue } from "../../appliance/wire/chap.ts";
import { type ControlMessage, emitControlMessage } from "../../appliance/wire/control-message.ts";
import { CpCode, emitCpPacket, emitOptions, type RawOption } from "../../appliance/wire/cp-packet.ts";
import { emitGre } from "../../appliance/wire/gre.ts";
import { emitIpcpOption } from "../../appliance/wire/ipcp-option.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { ChapAlgorithm, emitLcpOption } from "../../appliance/wire/lcp-option.ts";
import { emitPppFrame, PLAIN_FRAMING, Protocol } from "../../appliance/wire/ppp-frame.ts";
import type { Failure } from "../../hil/journal/event.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { CaptureFile } from "../../hil/net/capture-file.ts";
import { repairChecksums } from "../../hil/net/dissect.ts";
import { Link } from "../../hil/net/link.ts";
import { chap, from } from "../../hil/net/query.ts";
import { drop, every } from "../../hil/net/trap.ts";
import { ManualClock } from "./fake-line.ts";
import { MemoryPort } from "./link-bench.ts";

export interface Play {
  /** `fail`: a trap loses each CHAP Success, so the call never comes up. `killed`: the same, and the run ends before it knows. */
  readonly outcome: "pass" | "fail" | "killed";
  /** Encrypted packets each way, once the call is up. */
  readonly data?: number;
  /** Lines that the device's console says at its boot. */
  readonly bootLines?: number;
  readonly suite?: string;
}

type Side = "mobile" | "device";
const ADDRESS: Readonly<Record<Side, readonly number[]>> = { mobile: [203, 0, 113, 50], device: [203, 0, 113, 1] };
const MAC: Readonly<Record<Side, number>> = { mobile: 0x024300000001, device: 0x024300000002 };
const OTHER: Readonly<Record<Side, Side>> = { mobile: "device", device: "mobile" };

/** Leaves `journal.ndjson` and `internet.pcapng` in `folder`. */
export function playRun(folder: string, play: Play): void {
  mkdirSync(folder, { recursive: true });
  const stage = new Stage(folder);
  stage.begin(play.suite ?? "played");
  stage.scenario("booted", "every node boots", () => {
    stage.step("boot every node", () => {
      stage.say("device", "Linux version 6.1.0 (culvert) #1 SMP\r\n", 900);
      for (let line = 0; line < (play.bootLines ?? 12); line++)
        stage.say("device", `[    ${line}.000000] driver ${line} is up\r\n`, 20);
      stage.say("mobile", "guest-shell-ready\r\n", 300);
      stage.say("device", "\x1b[1mculvert login:\x1b[0m ", 400);
    });
  });
  stage.scenario(
    "dial",
    "a mobile user dials in",
    () => {
      stage.step("the mobile user reaches the device", () => stage.arp());
      if (play.outcome !== "pass") stage.loseChapSuccess();
      const failure: Failure | undefined =
        play.outcome === "pass" ? undefined : { faultClass: "peer", node: "mobile", text: DIAL_FAILURE };
      stage.step(
        "the mobile user dials",
        () => stage.dial(play.outcome === "pass", play.data ?? 0),
        failure,
        play.outcome === "killed",
      );
    },
    play.outcome,
  );
  if (play.outcome === "fail") stage.blocked("traffic", "needs dial, which did not pass");
  stage.close();
}

const DIAL_FAILURE = `mobile: pppd ended before the call was up
  sought:  "local  IP address"
  console: silent for 30.0 s; its last lines:
  | LCP terminated by peer
  | Modem hangup`;

class Stage {
  readonly #clock = new ManualClock();
  readonly #journal: Journal;
  readonly #capture: CaptureFile;
  readonly #ports: Readonly<Record<Side, MemoryPort>>;
  readonly #link: Link<Side>;
  #steps = 0;
  #tcp: Record<Side, number> = { mobile: 1000, device: 5000 };
  #gre: Record<Side, number> = { mobile: 0, device: 0 };
  #isKilled = false;

  constructor(folder: string) {
    this.#journal = new Journal(this.#clock, join(folder, "journal.ndjson"));
    const nowMs = (): number => Number(this.#clock.nowNs()) / 1e6;
    this.#ports = { mobile: new MemoryPort("mobile.eth0", nowMs), device: new MemoryPort("device.wan", nowMs) };
    this.#capture = new CaptureFile(join(folder, "internet.pcapng"), ["mobile.eth0", "device.wan"], this.#clock);
    const ends = { clock: this.#clock, journal: this.#journal };
    this.#link = new Link("internet", [this.#ports.mobile, this.#ports.device], this.#capture, ends);
  }

  begin(suite: string): void {
    const journal = this.#journal;
    journal.append({
      kind: "run",
      suite,
      title: "A <mobile> user dials & talks",
      command: ["lab", "run", "--suite", suite],
    });
    journal.append({ kind: "fact", name: "accelerator", value: "tcg (it ran the canary)" });
    journal.append({ kind: "node", node: "mobile", role: "peer", what: "pptp-linux 1.10 and pppd 2.4.9" });
    journal.append({ kind: "node", node: "device", role: "device", what: "the x86_64 image" });
    this.#clock.advance(500);
  }

  scenario(scenario: string, claim: string, run: () => void, verdict: Play["outcome"] = "pass"): void {
    this.#journal.append({ kind: "scenario-begin", scenario, claim, attempt: 1 });
    this.#scenario = scenario;
    run();
    if (verdict !== "killed") this.#journal.append({ kind: "scenario-end", scenario, claim, verdict });
  }
  #scenario = "";

  blocked(scenario: string, because: string): void {
    this.#journal.append({ kind: "scenario-end", scenario, claim: `${scenario} passes`, verdict: "blocked", because });
  }

  step(name: string, run: () => void, failure?: Failure, isKilled = false): void {
    const step = ++this.#steps;
    this.#journal.append({ kind: "step-begin", scenario: this.#scenario, step, name });
    run();
    this.#isKilled = isKilled;
    if (!isKilled) this.#journal.append({ kind: "step-end", step, failure });
  }

  say(node: Side, text: string, afterMs = 5): void {
    this.#clock.advance(afterMs);
    this.#journal.append({ kind: "console", node, direction: "rx", text });
  }

  close(): void {
    this.#link.close();
    this.#capture.close();
    if (!this.#isKilled) this.#link.heal();
    this.#journal.close();
  }

  arp(): void {
    for (const [side, operation] of [
      ["mobile", 1],
      ["device", 2],
    ] as const) {
      const arp = Buffer.alloc(46);
      arp.set([0, 1, 8, 0, 6, 4, 0, operation]);
      arp.writeUIntBE(MAC[side], 8, 6);
      arp.set(ADDRESS[side], 14);
      arp.set(ADDRESS[OTHER[side]], 24);
      this.#send(side, frameOf(side, 0x0806, arp));
    }
  }

  loseChapSuccess(): void {
    this.#link.trap(drop, every, chap.code("success"), from("device"));
  }

  dial(isUp: boolean, data: number): void {
    this.#journal.append({ kind: "note", node: "mobile", text: "$ pptp 203.0.113.1 nodetach user alice" });
    this.#segment("mobile", Buffer.alloc(0), 0x02);
    this.#segment("device", Buffer.alloc(0), 0x12);
    this.#message("mobile", START_REQUEST);
    this.#message("device", { ...START_REQUEST, type: "start-control-connection-reply", resultCode: 1, errorCode: 0 });
    this.#message("mobile", CALL_REQUEST);
    this.#message("device", CALL_REPLY);
    this.say("mobile", "Using interface ppp0\r\n", 30);
    this.#negotiate(
      "mobile",
      Protocol.lcp,
      [{ kind: "mru", mru: 1400 } as const, { kind: "magic", magic: 0x1234abcd } as const].map(emitLcpOption),
    );
    const auth = {
      kind: "authentication",
      protocol: Protocol.chap,
      data: Buffer.from([ChapAlgorithm.mschapV2]),
    } as const;
    this.#negotiate("device", Protocol.lcp, [emitLcpOption(auth)]);
    const challenge = emitChapValue({ value: Buffer.alloc(16, 7), name: Buffer.from("culvert") });
    this.#control("device", Protocol.chap, ChapCode.challenge, challenge);
    this.#control(
      "mobile",
      Protocol.chap,
      ChapCode.response,
      emitChapValue({ value: Buffer.alloc(49, 9), name: Buffer.from("alice") }),
    );
    for (let time = 0; time < (isUp ? 1 : 4); time++) {
      this.#control("device", Protocol.chap, ChapCode.success, Buffer.from("S=0123456789ABCDEF M=Welcome"));
      if (!isUp) this.#clock.advance(3000);
    }
    if (!isUp) {
      this.#control("device", Protocol.lcp, CpCode.terminateRequest, Buffer.from("no answer"));
      this.say("mobile", "LCP terminated by peer\r\n", 20);
      this.say("mobile", "Modem hangup\r\n", 200);
      this.#clock.advance(30_000);
      return;
    }
    const mppe = emitCcpOption({ kind: "mppe", bits: MppeBit.stateless | MppeBit.strength128 });
    this.#negotiate("mobile", Protocol.ccp, [mppe]);
    this.#negotiate("mobile", Protocol.ipcp, [emitIpcpOption({ kind: "address", address: Ipv4(0xc0a80164) })]);
    this.say("mobile", "local  IP address 192.168.1.100\r\n", 10);
    for (let number = 0; number < data; number++) {
      const bytes = Buffer.alloc(120, number);
      bytes.writeUInt16BE(0x9000 | (number & 0xfff), 0);
      this.#ppp("mobile", Protocol.compressed, bytes);
      this.#acknowledge("device");
    }
    this.say("mobile", "3 packets transmitted, 3 packets received\r\n", 10);
  }

  #negotiate(side: Side, protocol: number, options: readonly RawOption[]): void {
    const data = emitOptions(options);
    this.#control(side, protocol, CpCode.configureRequest, data);
    this.#control(OTHER[side], protocol, CpCode.configureAck, data);
  }

  #control(side: Side, protocol: number, code: number, data: Buffer): void {
    this.#ppp(side, protocol, emitCpPacket({ code, identifier: 1, data }));
  }

  #ppp(side: Side, protocol: number, payload: Buffer): void {
    const sequence = this.#gre[side]++;
    const packet = { callId: 7, sequence, ack: undefined, payload: emitPppFrame({ protocol, payload }, PLAIN_FRAMING) };
    this.#send(side, ipv4(side, 47, emitGre(packet)));
  }

  #acknowledge(side: Side): void {
    const ack = this.#gre[OTHER[side]] - 1;
    this.#send(side, ipv4(side, 47, emitGre({ callId: 8, sequence: undefined, ack, payload: Buffer.alloc(0) })));
  }

  #message(side: Side, message: ControlMessage): void {
    this.#segment(side, emitControlMessage(message), 0x18);
  }

  #segment(side: Side, payload: Buffer, flags: number): void {
    const header = Buffer.alloc(20);
    const ports = side === "mobile" ? [40_000, 1723] : [1723, 40_000];
    header.writeUInt16BE(ports[0] ?? 0, 0);
    header.writeUInt16BE(ports[1] ?? 0, 2);
    header.writeUInt32BE(this.#tcp[side], 4);
    header.writeUInt8(5 << 4, 12);
    header.writeUInt8(flags, 13);
    this.#tcp[side] += payload.length + (flags & 0x02 ? 1 : 0);
    this.#send(side, ipv4(side, 6, Buffer.concat([header, payload])));
  }

  #send(side: Side, frame: Buffer): void {
    this.#clock.advance(4);
    this.#ports[side].transmit(frame);
  }
}

function frameOf(side: Side, ethertype: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(14);
  header.writeUIntBE(MAC[OTHER[side]], 0, 6);
  header.writeUIntBE(MAC[side], 6, 6);
  header.writeUInt16BE(ethertype, 12);
  return Buffer.concat([header, payload]);
}

function ipv4(side: Side, protocol: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  header.set(ADDRESS[side], 12);
  header.set(ADDRESS[OTHER[side]], 16);
  const frame = frameOf(side, 0x0800, Buffer.concat([header, payload]));
  repairChecksums(frame);
  return frame;
}

const START_REQUEST = {
  type: "start-control-connection-request",
  protocolVersion: 0x0100,
  framingCapabilities: 3,
  bearerCapabilities: 3,
  maximumChannels: 0,
  firmwareRevision: 1,
  hostName: "mobile",
  vendorName: "cananian",
} as const;
const CALL_REQUEST: ControlMessage = {
  type: "outgoing-call-request",
  callId: 8,
  callSerialNumber: 1,
  minimumBps: 2400,
  maximumBps: 10_000_000,
  bearerType: 3,
  framingType: 3,
  packetRecvWindowSize: 50,
  packetProcessingDelay: 0,
  phoneNumberLength: 0,
  phoneNumber: "",
  subaddress: Buffer.alloc(64),
};
const CALL_REPLY: ControlMessage = {
  type: "outgoing-call-reply",
  callId: 7,
  peersCallId: 8,
  resultCode: 1,
  errorCode: 0,
  causeCode: 0,
  connectSpeed: 100_000_000,
  packetRecvWindowSize: 64,
  packetProcessingDelay: 0,
  physicalChannelId: 0,
};
