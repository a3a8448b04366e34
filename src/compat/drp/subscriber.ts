import type { WebSocket } from 'ws'
import type { Json } from '../../core/json-patch/json.ts'
import type { Caller } from '../../hub/caller.ts'
import type { Thing } from './things.ts'

const REGISTRATIONS = 200
/** Of one that takes nothing: it is cut off, and not left with a gap that it knows nothing of. */
const BUFFERED_BYTES = 4 * 1024 * 1024

/** One connection, and what it registered for: `type.action.key`, each `*` or several with commas. */
export class Subscriber {
  readonly caller: Caller
  readonly #socket: WebSocket
  readonly #nowMs: () => number
  readonly #registered = new Map<string, readonly Matches[]>()
  #isAlive = true

  constructor(socket: WebSocket, caller: Caller, nowMs: () => number) {
    this.#socket = socket
    this.caller = caller
    this.#nowMs = nowMs
    socket.on('pong', () => (this.#isAlive = true))
  }

  /** False where the last one had no answer. */
  ping(): boolean {
    if (!this.#isAlive) return false
    this.#isAlive = false
    this.#socket.ping()
    return true
  }

  end(): void {
    this.#socket.close(1011, 'the store cannot be followed')
  }

  /** `register profiles.update.example`, `deregister …`, each of which is acknowledged. */
  take(text: string): void {
    const [, verb, wanted = ''] = /^(register|deregister) (\S{1,1000})$/.exec(text.trim()) ?? []
    const parts = wanted.split('.')
    if (verb === undefined || parts.length < 3) return this.#acknowledge('error', text.slice(0, 200))
    if (verb === 'deregister') this.#registered.delete(wanted)
    else if (this.#registered.size >= REGISTRATIONS) return this.#socket.close(1008, 'too many registrations')
    else this.#registered.set(wanted, [parts[0] ?? '', parts[1] ?? '', parts.slice(2).join('.')].map(matcher))
    this.#acknowledge(verb, wanted)
  }

  /** Whether it is registered for such an event. */
  wants(...event: readonly [type: string, action: string, key: string]): boolean {
    return [...this.#registered.values()].some((matchers) => matchers.every((matches, at) => matches(event[at] ?? '')))
  }

  /** Of a change, as far as this caller may see it. */
  tell(before: Thing | undefined, after: Thing | undefined, by: string): void {
    const thing = after ?? before
    if (thing === undefined) return
    const action = before === undefined ? 'create' : after === undefined ? 'delete' : 'update'
    const object = thing.object
    if (before !== undefined && after !== undefined && before.etag === after.etag) return
    const original = action === 'update' ? (before?.object ?? null) : null
    this.#send(thing.model, action, { key: thing.key, by: `user:${by}`, object, original })
  }

  #acknowledge(action: string, key: string): void {
    this.#send('websocket', action, { key, by: `user:${this.caller.label}`, object: null, original: null })
  }

  #send(
    type: string,
    action: string,
    { key, by, object, original }: { key: string; by: string; object: Json; original: Json },
  ): void {
    if (this.#socket.bufferedAmount > BUFFERED_BYTES) return this.#socket.terminate()
    const frame = {
      Time: new Date(this.#nowMs()).toISOString(),
      Type: type,
      Action: action,
      Key: key,
      Principal: by,
      Object: object,
      Original: original,
    }
    this.#socket.send(JSON.stringify(frame))
  }
}

type Matches = (text: string) => boolean

/** In its lists a dot, a comma and a star are written `\1`, `\2` and `\3`. */
function matcher(list: string): Matches {
  if (list === '*') return () => true
  const wanted = new Set(
    list.split(',').map((each) => each.replaceAll('\\1', '.').replaceAll('\\2', ',').replaceAll('\\3', '*').trim()),
  )
  return (text) => wanted.has(text)
}
