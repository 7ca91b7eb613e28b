/** One user-space data plane between a GRE socket and tunnel interfaces whose other ends are the test. */
import { UserSpaceDataPlane } from "../../appliance/dataplane/user-space.ts";
import { type GreSocket, Millis, type Tun } from "../../appliance/ports.ts";
import { MPPE_HEADER_BYTES, MppeSender } from "../../appliance/ppp/mppe.ts";
import type { EncryptedDirection } from "../../appliance/ppp/network-phase.ts";
import { LocalCallId, PeerCallId } from "../../appliance/pptp/call-id.ts";
import { emitGre, type GrePacket, parseGre } from "../../appliance/wire/gre.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { PLAIN_FRAMING, type PppFraming } from "../../appliance/wire/ppp-frame.ts";
import { hex } from "./hex.ts";
import { ipv4Packet } from "./ip-packet.ts";

export const LOCAL = Ipv4(0xcb007101);
export const PEER = Ipv4(0xc6336407);
export const CALL = LocalCallId(0x1111);
/** As LCP agrees with Windows: ACFC and PFC. */
export const COMPRESSED: PppFraming = { omitAddressControl: true, compressProtocol: true };
export const PEERS_CALL = PeerCallId(0x2222);

/** Packets in both directions, as they stand on the wire from the GRE header on. */
export class GreWire implements GreSocket {
  readonly arriving: { readonly peer: Ipv4; readonly packet: Buffer }[] = [];
  /** Copies of what was sent, and the loans they were copied from. */
  readonly sent: { readonly local: Ipv4; readonly peer: Ipv4; readonly packet: Buffer; readonly loan: Buffer }[] = [];
  flushes = 0;

  receive(each: (peer: Ipv4, packet: Buffer) => void): void {
    for (const { peer, packet } of this.arriving.splice(0)) each(peer, packet);
  }
  send(local: Ipv4, peer: Ipv4, loan: Buffer): void {
    this.sent.push({ local, peer, packet: Buffer.from(loan), loan });
  }
  flush(): void {
    this.flushes++;
  }
  close(): void {}
}

/** `waiting` are slots: each packet with the headroom in front that the kernel left. */
export class SlotTun implements Tun {
  readonly name = "pptp0";
  readonly waiting: { readonly slot: Buffer; readonly start: number }[] = [];
  readonly written: Buffer[] = [];
  closed = false;

  put(packet: Buffer, headroom: number): void {
    this.waiting.push({ slot: Buffer.concat([Buffer.alloc(headroom), packet]), start: headroom });
  }
  receive(each: (slot: Buffer, start: number, end: number) => void): void {
    for (const { slot, start } of this.waiting.splice(0)) each(slot, start, slot.length);
  }
  write(packet: Buffer): void {
    this.written.push(Buffer.from(packet));
  }
  close(): void {
    this.closed = true;
  }
}

export class PlaneBench {
  readonly wire = new GreWire();
  readonly tun = new SlotTun();
  readonly control: string[] = [];
  resets = 0;
  now = 1000;
  readonly plane = new UserSpaceDataPlane(this.wire, {
    control: (callId, protocol, payload) =>
      this.control.push(`${callId.toString(16)} ${protocol.toString(16)} ${payload.toString("hex")}`),
    resetNeeded: () => this.resets++,
  });
  #sequence = 0;

  /** One call, its network up with plain framing. */
  constructor(requireEncryption: boolean) {
    this.plane.open({ callId: CALL, peerCallId: PEERS_CALL, local: LOCAL, peer: PEER }, requireEncryption);
    this.plane.attach(CALL, this.tun, PLAIN_FRAMING);
  }
  encrypt(send: EncryptedDirection, receive = send): this {
    this.plane.encrypt(CALL, send, receive);
    return this;
  }
  /** A PPP frame from the peer, numbered after the one before unless told otherwise. */
  frame(payload: Buffer, sequence = this.#sequence): void {
    this.#sequence = sequence + 1;
    this.arrive({ callId: CALL, sequence, ack: undefined, payload });
  }
  arrive(packet: GrePacket, peer = PEER): void {
    this.wire.arriving.push({ peer, packet: emitGre(packet) });
    this.plane.receive(Millis(this.now));
  }
  transmit(): void {
    this.plane.transmit(CALL, Millis(this.now));
  }
  /** What left since the last call, parsed. */
  take(): GrePacket[] {
    return this.wire.sent.splice(0).map(({ packet }) => {
      const parsed = parseGre(packet);
      if (!parsed.ok) throw new TypeError(`not GRE: ${packet.toString("hex")}`);
      return parsed.value;
    });
  }
  get dropped() {
    return this.plane.counters(CALL)?.dropped;
  }
}

export function direction(strength: 40 | 56 | 128, stateless: boolean, fill = 0x5a): EncryptedDirection {
  return { startKey: Buffer.alloc(strength === 128 ? 16 : 8, fill), agreement: { strength, stateless } };
}

/** What the peer sends: MPPE behind the PPP header the test chooses. */
export class Encryptor {
  readonly #sender: MppeSender;
  constructor({ startKey, agreement }: EncryptedDirection) {
    this.#sender = new MppeSender({ startKey, ...agreement });
  }
  frame(inner: Buffer, header = hex("fd")): Buffer {
    const bytes = Buffer.concat([Buffer.alloc(MPPE_HEADER_BYTES), inner]);
    this.#sender.encrypt(bytes, MPPE_HEADER_BYTES, bytes.length);
    return Buffer.concat([header, bytes]);
  }
  ip(number: number): Buffer {
    return this.frame(Buffer.concat([hex("0021"), ipv4Packet(60, number)]));
  }
}
