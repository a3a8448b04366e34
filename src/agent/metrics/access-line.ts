/** What one line of an access log tells of a request. */
export interface AccessLine {
  readonly method: string
  /** As it was asked for: path and query. */
  readonly target: string
  readonly status: number
  readonly bytes: number
  /** Undefined where the format does not say. */
  readonly seconds: number | undefined
}

/** Longer lines are passed over. */
const LINE_CHARS = 16_384

/** Common and combined, of nginx, Apache and Tomcat: after the date the request in quotes, the status, the bytes. */
const COMMON = /\] "([A-Z]{1,20}) (\S+)(?: HTTP\/[\d.]+)?" (\d{3}) (\d+|-)(.*)$/
/** HAProxy's `option httplog`: the five timers, the status, the bytes, and last the request. */
const HAPROXY = / -?\d+\/-?\d+\/-?\d+\/-?\d+\/\+?(\d+) (\d{3}) \+?(\d+) .*"([A-Z]{1,20}) (\S+)(?: HTTP\/[\d.]+)?"$/

/** Undefined for what is no request, such as a connection that sent nothing. */
export function parseAccessLine(line: string): AccessLine | undefined {
  if (line.length > LINE_CHARS) return undefined
  const common = COMMON.exec(line)
  if (common !== null) {
    const [, method = '', target = '', status, bytes, rest = ''] = common
    return { method, target, status: Number(status), bytes: bytes === '-' ? 0 : Number(bytes), seconds: timeIn(rest) }
  }
  const haproxy = HAPROXY.exec(line)
  if (haproxy === null) return undefined
  const [, ms, status, bytes, method = '', target = ''] = haproxy
  return { method, target, status: Number(status), bytes: Number(bytes), seconds: Number(ms) / 1000 }
}

/**
 * The last number of a line, with quoted texts behind it or none: nginx' `$request_time` has decimals and is seconds, Tomcat's
 * `%D` has none and is milliseconds.
 */
function timeIn(rest: string): number | undefined {
  const last = /\s(\d{1,9}(?:\.\d{1,9})?)(?:\s+"[^"]*")*\s*$/.exec(rest)?.[1]
  if (last === undefined) return undefined
  return last.includes('.') ? Number(last) : Number(last) / 1000
}
