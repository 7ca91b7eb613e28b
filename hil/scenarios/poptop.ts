/** Suite `poptop`: pptp-linux against Poptop. No device takes part: it proves the lab, and is the yardstick for the device. */
import { defineLab } from "../lab.ts";
import { poptop } from "../peers/poptop.ts";
import { agreementOf, STRONGEST } from "../peers/pppd.ts";
import { DialError, pptpLinux } from "../peers/pptp-linux.ts";
import { check, defineSuite } from "../scenario.ts";
import { agreedTo, nothingLeftOn, onlyCiphertext, pingAll, transfer } from "./tunnel-claims.ts";

const SERVER = "203.0.113.1";
const INNER_SERVER = "192.168.50.1";
const INNER_CLIENT = "192.168.50.10";
const ALICE = { server: SERVER, user: "alice", password: "s3cret", protection: STRONGEST, routes: [] };
const TRANSFER_BYTES = 1_000_000;

/** mobile ── internet ── server */
const lab = defineLab({
  nodes: {
    mobile: pptpLinux({ address: "203.0.113.50/24" }),
    server: poptop({
      address: `${SERVER}/24`,
      localAddress: INNER_SERVER,
      remoteAddress: INNER_CLIENT,
      dns: INNER_SERVER,
      user: ALICE.user,
      password: ALICE.password,
    }),
  },
  links: { internet: ["mobile.eth0", "server.eth0"] },
});

export const poptopSuite = defineSuite({
  name: "poptop",
  title: "Lab self-test: pptp-linux dials Poptop",
  lab,
  scenarios: [
    {
      name: "dial",
      claim: "pptp-linux reaches Poptop with MS-CHAPv2 and MPPE-128 and gets the configured address",
      async run({ node }, step) {
        const network = await step("dial with the right password", () => node.mobile.dial(ALICE));
        await step("the client has the address and DNS server of the configuration", () => {
          check(network.localAddress === INNER_CLIENT, `got ${network.localAddress} instead of ${INNER_CLIENT}`);
          check(network.dns[0] === INNER_SERVER, `DNS server ${network.dns[0]} instead of ${INNER_SERVER}`);
        });
        await step("both logs say MS-CHAPv2 and MPPE-128 stateless", async () => {
          agreedTo("the client", network.agreed, agreementOf(STRONGEST));
          agreedTo("the server", await node.server.agreed(), agreementOf(STRONGEST));
        });
      },
    },
    {
      name: "transfer",
      claim: "pings and a checksummed file pass the tunnel, encrypted",
      needs: ["dial"],
      async run({ node, link }, step) {
        await step("ping the server through the tunnel", () => pingAll(node.mobile, INNER_SERVER));
        await step("fetch 1 MB from the server", () =>
          transfer(node.server, INNER_SERVER, node.mobile, TRANSFER_BYTES),
        );
        await onlyCiphertext(link.internet, "192.168.50.0/24", step);
      },
    },
    {
      name: "hang-up",
      claim: "the client hangs up and nothing stays behind",
      needs: ["dial"],
      async run({ node }, step) {
        await step("hang up", () => node.mobile.hangUp());
        await nothingLeftOn(node.mobile, "the client", step);
      },
    },
    {
      name: "wrong-password",
      claim: "a wrong password is refused as an authentication failure",
      needs: ["hang-up"],
      async run({ node }, step) {
        await step("dialing with a wrong password ends with pppd status 19", async () => {
          const error = await node.mobile.dial({ ...ALICE, password: "wrong" }).catch((reason: unknown) => reason);
          check(error instanceof DialError, "the call came up with a wrong password");
          check(error.status === 19, `the call failed for another reason:\n${error.message}`);
        });
      },
    },
  ],
  cold: true, // it proves the lab itself
});
