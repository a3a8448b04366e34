/** Bytes from `start` up to, without, `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * What a `Range` header asks for of a file of `size` bytes. Undefined: the whole, as for several ranges at once and for what is
 * no range of bytes. `none`: nothing of it is there.
 */
export function parseRange(value: string | undefined, size: number): ByteRange | 'none' | undefined {
  const match = value === undefined ? null : /^bytes=\s*(\d{0,16})-(\d{0,16})\s*$/i.exec(value)
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '') {
    if (last === '') return undefined
    const length = Math.min(Number(last), size)
    return length === 0 ? 'none' : { start: size - length, end: size }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= size) return 'none'
  return { start, end: last === '' ? size : Math.min(Number(last) + 1, size) }
}
