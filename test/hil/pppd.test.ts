import assert from "node:assert/strict";
import { test } from "node:test";
import { agreementOf, answererOptions, callerOptions, parseAgreement } from "../../hil/peers/pppd.ts";

test("a caller refuses every other method, an answerer requires the one", () => {
  const pap = { authentication: "pap", mppe: undefined } as const;
  assert.equal(callerOptions(pap), "refuse-eap refuse-chap refuse-mschap refuse-mschap-v2 nomppe");
  assert.equal(answererOptions(pap), "require-pap nomppe");
  const stateful = { authentication: "mschap-v2", mppe: { bits: 128, stateful: true } } as const;
  const mppe = "require-mppe-128 nomppe-40 mppe-stateful";
  assert.equal(callerOptions(stateful), `refuse-eap refuse-pap refuse-chap refuse-mschap ${mppe}`);
  assert.equal(answererOptions(stateful), `require-mschap-v2 ${mppe}`);
  const short = { authentication: "mschap-v2", mppe: { bits: 40, stateful: false } } as const;
  assert.equal(answererOptions(short), "require-mschap-v2 require-mppe-40 nomppe-128");
});

/** The device asks for stateful mode, pppd for stateless, and both get it. */
const CALLER_LOG = `rcvd [LCP ConfReq id=0x1 <mru 1400> <auth chap MD5> <magic 0x1>]
sent [LCP ConfNak id=0x1 <auth chap MS-v2>]
rcvd [LCP ConfReq id=0x2 <mru 1400> <auth chap MS-v2> <magic 0x1> <pcomp> <accomp>]
sent [LCP ConfAck id=0x2 <mru 1400> <auth chap MS-v2> <magic 0x1> <pcomp> <accomp>]
rcvd [LCP ConfAck id=0x1 <asyncmap 0x0> <magic 0x2> <pcomp> <accomp>]
sent [CCP ConfReq id=0x1 <mppe +H -M +S -L -D -C>]
rcvd [CCP ConfReq id=0x1 <mppe -H -M +S -L -D -C>]
sent [CCP ConfAck id=0x1 <mppe -H -M +S -L -D -C>]
rcvd [CCP ConfAck id=0x1 <mppe +H -M +S -L -D -C>]
`;

test("what was agreed is what was acknowledged, each direction alone", () => {
  assert.deepEqual(parseAgreement(CALLER_LOG), {
    authentication: "mschap-v2",
    receives: "MPPE-128 stateless",
    sends: "MPPE-128 stateful",
  });
  assert.deepEqual(agreementOf({ authentication: "mschap-v2", mppe: { bits: 128, stateful: true } }), {
    authentication: "mschap-v2",
    receives: "MPPE-128 stateful",
    sends: "MPPE-128 stateful",
  });
});

test("the answerer's log has its own request acknowledged; without CCP nothing is encrypted", () => {
  const log = "sent [LCP ConfReq id=0x1 <auth pap>]\nrcvd [LCP ConfAck id=0x1 <auth pap> <magic 0x2>]\n";
  const agreed = { authentication: "pap", receives: "none", sends: "none" };
  assert.deepEqual(parseAgreement(log), agreed);
  assert.deepEqual(agreementOf({ authentication: "pap", mppe: undefined }), agreed);
});

test("a call that came to nothing agreed on nothing", () => {
  const nothing = { authentication: "none", receives: "none", sends: "none" };
  assert.deepEqual(
    parseAgreement("rcvd [LCP ConfReq id=0x1 <auth pap>]\nsent [CCP ConfReq id=0x1 <mppe +H -M +S -L -D -C>]\n"),
    nothing,
  );
});
