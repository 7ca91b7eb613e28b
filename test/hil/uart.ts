/** What a UART that is set to one rate reads of bytes that were sent at another: 8 data bits, no parity, one stop bit. */

/** `sent` and `read` are in baud. A byte without its stop bit is read as 0, as Linux gives it. */
export function throughUart(bytes: Buffer, sent: number, read: number): Buffer {
  if (sent === read) return bytes;
  const bits: number[] = [1];
  for (const byte of bytes) {
    bits.push(0);
    for (let bit = 0; bit < 8; bit++) bits.push((byte >> bit) & 1);
    bits.push(1);
  }
  // Time is counted in bits of the sender; the line is high before and after.
  const level = (time: number): number => bits[Math.floor(time)] ?? 1;
  const step = sent / read;
  const out: number[] = [];
  let at = 0;
  while (at < bits.length) {
    // The receiver looks sixteen times in each of its bits.
    while (at < bits.length && level(at) === 1) at += step / 16;
    if (at >= bits.length) break;
    let byte = 0;
    for (let bit = 0; bit < 8; bit++) byte |= level(at + step * (1.5 + bit)) << bit;
    const hasStop = level(at + step * 9.5) === 1;
    out.push(hasStop ? byte : 0);
    at += step * 9.5;
    while (!hasStop && at < bits.length && level(at) === 0) at += step / 16;
  }
  return Buffer.from(out);
}
