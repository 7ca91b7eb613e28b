/** The GRE port's contract on the network in memory. On the kernel: test/system/linux-gre.test.ts. */
import assert from "node:assert/strict";
import { parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { FakeGreNet } from "../support/fake-gre.ts";
import { greContract } from "../support/gre-contract.ts";

const net = new FakeGreNet();
const addresses = ["127.0.0.1", "127.0.0.2"].map((text) => parseIpv4(text) ?? assert.fail());
greContract("fake", () => net.host(...addresses));
