/** Bytes as tests write them: hexadecimal, with spaces where they help the eye. */
export function hex(text: string): Buffer {
  const digits = text.replaceAll(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new TypeError(`not hexadecimal: ${text}`);
  return Buffer.from(digits, "hex");
}
