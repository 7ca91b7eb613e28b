/** A RADIUS server that lets nobody in: it refuses each caller with the code that a scenario names, or is silent (RFC 2865, RFC 2548 §2.3.2). */
import {
  authenticatorAttributeAt,
  messageAuthenticator,
  radiusAuthenticator,
} from "../../../appliance/crypto/radius.ts";
import { emitMsChapFailure } from "../../../appliance/wire/chap.ts";
import { formatIpv4 } from "../../../appliance/wire/ipv4.ts";
import {
  AUTHENTICATOR_BYTES,
  emitRadiusPacket,
  parseRadiusPacket,
  RadiusCode,
  type RadiusPacket,
} from "../../../appliance/wire/radius.ts";
import {
  emitRadiusAttribute,
  interpretRadiusAttributes,
  MESSAGE_AUTHENTICATOR,
  octetsOf,
} from "../../../appliance/wire/radius-attribute.ts";
import type { IpHost, UdpArrival } from "../ip/host.ts";

const PORT = 1812;
/** What RFC 2759 §6 lets an authenticator say. */
export type RefusalCode = 646 | 647 | 648 | 649 | 691 | 709;

export interface RadiusServerSettings {
  readonly secret: string;
}

export interface SavedRadius {
  readonly refusal: RefusalCode;
  readonly isSilent: boolean;
}

export class RadiusServer {
  /** `E=` of the MS-CHAP-Error from now on. */
  refusal: RefusalCode = 691;
  /** Answers nothing, as if it were unplugged. */
  isSilent = false;
  readonly #host: IpHost;
  readonly #secret: string;
  readonly #note: (text: string) => void;

  constructor(host: IpHost, { secret }: RadiusServerSettings, note: (text: string) => void) {
    this.#host = host;
    this.#secret = secret;
    this.#note = note;
    host.onUdp(PORT, (arrival) => this.#receive(arrival));
  }

  save(): SavedRadius {
    return { refusal: this.refusal, isSilent: this.isSilent };
  }
  restore({ refusal, isSilent }: SavedRadius): void {
    this.refusal = refusal;
    this.isSilent = isSilent;
  }

  #receive({ payload, source, sourcePort, destination }: UdpArrival): void {
    const packet = parseRadiusPacket(payload);
    if (this.isSilent || !packet.ok || packet.value.code !== RadiusCode.accessRequest) return;
    const attributes = interpretRadiusAttributes(packet.value.attributes);
    const user = octetsOf(attributes, "user-name")?.toString("latin1") ?? "somebody without a name";
    this.#note(`RADIUS: ${formatIpv4(source)} asks for ${user}: refused with ${this.refusal}`);
    const response = octetsOf(attributes, "ms-chap2-response") ?? octetsOf(attributes, "ms-chap-response");
    const answer = this.#refuse(packet.value, response?.[0] ?? 0);
    this.#host.sendUdp(destination, source, { sourcePort: PORT, destinationPort: sourcePort, payload: answer });
  }

  /** `ident` is that of the CHAP packet (RFC 2548 §2.1.5). */
  #refuse({ identifier, authenticator }: RadiusPacket, ident: number): Buffer {
    const text = emitMsChapFailure({
      errorCode: this.refusal,
      retryAllowed: false,
      challenge: Buffer.alloc(16),
      passwordVersion: 3,
      message: "",
    });
    const attributes = [
      { kind: "message-authenticator", octets: Buffer.alloc(AUTHENTICATOR_BYTES) },
      { kind: "ms-chap-error", octets: Buffer.concat([Buffer.from([ident]), text]) },
    ] as const;
    const code = RadiusCode.accessReject;
    const bytes = emitRadiusPacket({
      ...{ code, identifier, authenticator },
      attributes: attributes.map(emitRadiusAttribute),
    });
    const at = authenticatorAttributeAt(bytes, MESSAGE_AUTHENTICATOR);
    if (at !== undefined) messageAuthenticator(bytes, at, authenticator, this.#secret).copy(bytes, at);
    radiusAuthenticator(bytes, authenticator, this.#secret).copy(bytes, 4);
    return bytes;
  }
}
