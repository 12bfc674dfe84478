const LENGTH_16 = 126;

/** The payloads of the frames that a server wrote in one chunk. None is masked, and none is longer than 64 KiB. */
export function payloadsIn(chunk: Uint8Array): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  for (let start = 0; start < chunk.length; ) {
    const short = chunk[start + 1] as number;
    const header = short < LENGTH_16 ? 2 : 4;
    const length =
      header === 2 ? short : (chunk[start + 2] as number) * 256 + (chunk[start + 3] as number);
    payloads.push(chunk.subarray(start + header, start + header + length));
    start += header + length;
  }
  return payloads;
}
