/** What a packet costs in the user-space plane, TUN to GRE and GRE to TUN, as a multiple of MPPE alone: `node dist/test/bench/data-plane.js`. */
import { UserSpaceDataPlane } from "../../appliance/dataplane/user-space.ts";
import { type GreSocket, Millis, type Tun } from "../../appliance/ports.ts";
import { MppeReceiver, MppeSender } from "../../appliance/ppp/mppe.ts";
import { LocalCallId, PeerCallId } from "../../appliance/pptp/call-id.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";

const ROUNDS = 40_000;
const BATCH = 32;
const BYTES = 1400;
const HEADROOM = 64;
const KEY = Buffer.alloc(16, 7);
const STRENGTH = { strength: 128, stateless: true } as const;

function ipPacket(): Buffer {
  const packet = Buffer.alloc(BYTES);
  packet[0] = 0x45;
  packet.writeUInt16BE(BYTES, 2);
  return packet;
}

function mppeAlone(): number {
  const sender = new MppeSender({ startKey: KEY, ...STRENGTH });
  const receiver = new MppeReceiver({ startKey: KEY, ...STRENGTH, rekeyOnFlush: true });
  const slot = Buffer.alloc(HEADROOM + BYTES);
  const started = performance.now();
  for (let n = 0; n < ROUNDS; n++) {
    const at = sender.encrypt(slot, HEADROOM - 2, slot.length);
    if (receiver.decrypt(slot, at, slot.length) !== undefined) throw new Error("does not decrypt");
  }
  return ((performance.now() - started) * 1000) / ROUNDS;
}

/** Two planes, the GRE of one handed to the other in batches. */
function planes(): number {
  const wire: Buffer[] = [];
  const near: GreSocket = {
    receive: () => {},
    send: (_local, _peer, packet) => wire.push(packet),
    flush: () => {},
    close: () => {},
  };
  const far: GreSocket = {
    receive: (each) => {
      for (const packet of wire.splice(0)) each(Ipv4(1), packet);
    },
    send: () => {},
    flush: () => {},
    close: () => {},
  };
  const events = { control: () => {}, resetNeeded: () => {} };
  const from = new UserSpaceDataPlane(near, events);
  const to = new UserSpaceDataPlane(far, events);
  const id = LocalCallId(5);
  const framing = { omitAddressControl: true, compressProtocol: true };
  const direction = { startKey: KEY, agreement: STRENGTH };
  const slots = Array.from({ length: BATCH }, () => Buffer.concat([Buffer.alloc(HEADROOM), ipPacket()]));
  let arrived = 0;
  const source: Tun = {
    name: "source",
    receive: (each) => {
      for (const slot of slots) {
        ipPacket().copy(slot, HEADROOM);
        each(slot, HEADROOM, slot.length);
      }
    },
    write: () => {},
    close: () => {},
  };
  const sink: Tun = { name: "sink", receive: () => {}, write: () => arrived++, close: () => {} };
  for (const [plane, peer] of [
    [from, Ipv4(2)],
    [to, Ipv4(1)],
  ] as const) {
    plane.open({ callId: id, peerCallId: PeerCallId(5), local: Ipv4(3), peer }, true);
    plane.encrypt(id, direction, direction);
  }
  from.attach(id, source, framing);
  to.attach(id, sink, framing);
  const started = performance.now();
  for (let n = 0; n < ROUNDS / BATCH; n++) {
    from.transmit(id, Millis(n));
    to.receive(Millis(n));
  }
  const micros = ((performance.now() - started) * 1000) / ROUNDS;
  if (arrived !== ROUNDS) throw new Error(`${arrived} of ${ROUNDS} packets arrived`);
  return micros;
}

mppeAlone();
planes(); // both once for the compiler
const alone = mppeAlone();
const whole = planes();
console.log(`MPPE-128 stateless, ${BYTES} B, encrypt and decrypt: ${alone.toFixed(1)} µs`);
console.log(
  `both planes, headers, order, checks and MPPE:    ${whole.toFixed(1)} µs = ${(whole / alone).toFixed(2)} × MPPE alone`,
);
