/** The contract of DatagramTransport on node:dgram. */
import { datagramTransport } from "../../appliance/linux/datagram-transport.ts";
import { datagramContract } from "../support/datagram-contract.ts";
import { inNetworkNamespace } from "../support/network-namespace.ts";

await inNetworkNamespace(() => datagramContract("node:dgram", datagramTransport));
