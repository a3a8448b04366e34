import type { ChildReach, Reach } from '../../core/push/ack.ts'

/** What is answered to somebody who put or deleted a file by plain HTTP. */
export interface Written {
  /** Host and port of this node, as whoever asked calls it. */
  readonly host: string
  /** As it was asked for, encoded, with a slash at its begin. */
  readonly path: string
  /** Undefined for a file that is gone. */
  readonly bytes: number | undefined
  readonly etag?: string | undefined
  readonly sha256?: string | undefined
}

/**
 * A line for each node, in the words of nginx.filedist: its clients look for those that begin with `error`. facts: nginx.filedist's
 * nginx.conf.erb, "PUT" and "DELETE".
 */
export function writtenLines(written: Written, reach: Reach, nameOf: (child: string) => string): string {
  const { host, path, bytes } = written
  const success = (node: string): string =>
    bytes === undefined ? `success: ${node}${path} removed` : `success: ${node}${path} stored: ${bytes}bytes`
  const failure = (child: ChildReach): string =>
    `error: ${nameOf(child.child)}${path} failed to ${bytes === undefined ? 'remove' : 'store'}: ${reasonOf(child)}`
  const children = reach.children.map((child) =>
    child.state === 'reached' ? success(nameOf(child.child)) : failure(child),
  )
  return [success(host), ...children, ''].join('\n')
}

/** The same for programs. */
export function writtenJson(written: Written, { level, isReached, children }: Reach): string {
  const { path, bytes, etag, sha256 } = written
  const what = bytes === undefined ? { removed: true } : { bytes, etag, sha256 }
  return `${JSON.stringify({ path, ...what, ack: { level, reached: isReached }, children })}\n`
}

/** In one line, whatever stands in it. */
function reasonOf({ state, error }: ChildReach): string {
  const why = error ?? (state === 'pending' ? 'it is on its way' : 'it will be tried again')
  return why.replace(/[^\x20-\x7e\xa0-\uffff]+/g, ' ').slice(0, 500)
}
