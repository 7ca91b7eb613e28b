/** The interop matrix as data: its dimensions and what a cell is. Pure: what can be, what must come of it and which cells are run is decided in the files beside. */

/** The first value of a dimension is the plain one. */
export const DIMENSIONS = {
  /** Who is at the other end. */
  peer: ["pptp-linux", "network-manager", "windows-10", "poptop", "culvert"],
  /** The device's. */
  role: ["server", "client"],
  auth: ["mschap-v2", "mschap-v1", "chap-md5", "pap"],
  /** Of both directions; `128-stateful` is MPPE-128 with a key change every 256 packets. */
  encryption: ["128", "128-stateful", "56", "40", "none"],
  plane: ["user-space", "kernel"],
  /** Bytes of the largest IP packet inside the tunnel, as the device is told. */
  mtu: ["1400", "1460", "576"],
  network: ["clean", "loss-1", "loss-5", "reorder", "delay-200", "nat-alg", "nat-no-alg", "two-clients"],
  fault: [
    "none",
    "gre-to-peer-lost",
    "gre-from-peer-lost",
    "control-reset",
    "set-link-info-lost",
    "ccp-reset-lost",
    "mppe-out-of-step",
    "wrong-password",
    "pool-empty",
    "40-bit-only",
    "server-restarted",
  ],
} as const;

export type Dimension = keyof typeof DIMENSIONS;
export type Cell = { readonly [D in Dimension]: (typeof DIMENSIONS)[D][number] };

export const DIMENSION_NAMES = Object.keys(DIMENSIONS) as Dimension[];

/** What each value means, for the page and for claims. */
export const MEANING: Readonly<Record<string, string>> = {
  "pptp-linux": "pptp-linux 1.10 and pppd 2.4.9 of Debian 12",
  "network-manager": "NetworkManager 1.42 with network-manager-pptp 1.2.12, on pptp-linux and pppd of Debian 12",
  "windows-10": "our stack with the manners of Windows 10 on the wire; no Windows",
  poptop: "Poptop 1.4 and pppd 2.4.9 of Debian 12",
  culvert: "a second device of the same image",
  server: "the device is called",
  client: "the device calls",
  "user-space": "TUN and raw GRE",
  kernel: "PPPoX and ppp_generic",
  "loss-1": "1 % of all frames are lost both ways",
  "loss-5": "5 % of all frames are lost both ways",
  reorder: "10 % of all frames are overtaken",
  "delay-200": "200 ms each way",
  "nat-alg": "the caller is behind a NAT box with a PPTP helper",
  "nat-no-alg": "the caller is behind a NAT box without a PPTP helper",
  "two-clients": "two callers at once behind one NAT box",
  "gre-to-peer-lost": "no GRE packet of the device arrives",
  "gre-from-peer-lost": "no GRE packet of the peer arrives",
  "control-reset": "TCP 1723 is reset while the call is asked for",
  "set-link-info-lost": "the caller's first Set-Link-Info is lost",
  "ccp-reset-lost": "a data packet and the CCP Reset-Request for it are lost",
  "mppe-out-of-step": "a data packet is lost, so that the receiver's key is behind",
  "wrong-password": "the caller has a wrong password",
  "pool-empty": "the server has no address left",
  "40-bit-only": "the server has MPPE-40 alone, the caller MPPE-128 alone",
  "server-restarted": "the server goes down in the call and comes back",
};

/** What the scenario of a cell is called: its values, plain ones left out from MTU on: `mschap-v2.128.1460.loss-5`. */
export function cellName(cell: Cell): string {
  const { peer, role, auth, encryption, plane, mtu, network, fault } = cell;
  const rest = [
    plane === "user-space" ? "" : plane,
    mtu === "1400" ? "" : mtu,
    network === "clean" ? "" : network,
    fault === "none" ? "" : fault,
  ];
  return [peer, role, auth, encryption, ...rest.filter((word) => word !== "")].join(".");
}

/** The plain cell with other values for some dimensions. */
export function cellWith(values: Partial<Cell>): Cell {
  const plain = {
    peer: DIMENSIONS.peer[0],
    role: DIMENSIONS.role[0],
    auth: DIMENSIONS.auth[0],
    encryption: DIMENSIONS.encryption[0],
    plane: DIMENSIONS.plane[0],
    mtu: DIMENSIONS.mtu[0],
    network: DIMENSIONS.network[0],
    fault: DIMENSIONS.fault[0],
  };
  return { ...plain, ...values };
}

/** Every combination, possible or not, the last dimension changing fastest. */
export function* everyCell(): Generator<Cell> {
  let partial: Partial<Cell>[] = [{}];
  for (const dimension of DIMENSION_NAMES)
    partial = partial.flatMap((cell) => DIMENSIONS[dimension].map((value) => ({ ...cell, [dimension]: value })));
  for (const cell of partial) yield cell as Cell;
}
