/** Smaller ones may be parts of memory that others use too. */
const OWN_BYTES = 32 * 1024

/**
 * Gives the memory of a chunk back at once: left to the garbage collector, those of a fast connection are 100 MB before it looks, and
 * then it looks through everything else as well, again and again. Only of a chunk that ends with its memory, as the last does of what
 * came in one piece: whoever gives it back is done with what lay before. Nobody may look at the chunk again, nor may the system.
 */
export function giveBack({ buffer, byteOffset, byteLength }: Uint8Array): void {
  const isLast = byteOffset + byteLength === buffer.byteLength
  if (isLast && byteLength > OWN_BYTES && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
