import type { Clock } from '../../../core/clock.ts'
import { messageOf } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import { forEachLimited } from '../../../lib/limited.ts'
import { HttpClient, readBody } from '../../../lib/http.ts'
import { withDeadline } from '../../../lib/waiting.ts'
import { DATASET_ID } from '../definition/dataset-id.ts'
import { parseCsv } from './csv.ts'
import { type InfoPage, parseInfoPage } from './info-page.ts'
import { parseStatusPage, type StatusPage } from './status-page.ts'

/** What the running ERDDAP of this node says. */
export type Application =
  /** No address is configured: nothing is asked, and nothing can be proved. */
  | { readonly is: 'unknown' }
  | { readonly is: 'down'; readonly why: string }
  | {
      readonly is: 'up'
      readonly version: string
      /** Class by id of the datasets that `allDatasets` lists to the public; undefined when it could not be had. */
      readonly listing: ReadonlyMap<string, string> | undefined
      readonly status: StatusPage | undefined
    }

/** Answer to "what do you serve as this dataset": a page, nothing, something that needs a login, or no usable answer. */
export type Served = InfoPage | 'absent' | 'private' | 'unreachable'

export interface ApplicationOptions {
  readonly url: string
  readonly timeoutMs: number
  readonly clock: Clock
}

const MIB = 1024 * 1024

/**
 * Of an answer; beyond, it counts as none. A row of the list is an id and a class: 38 bytes on average in the collections
 * of the tests, 300 at most. Large installations have some 20,000 datasets.
 */
const LIMITS = { pageBytes: 4 * MIB, listingBytes: 8 * MIB, datasets: 100_000 } as const
/** ERDDAP makes a third request from one address wait (`ipAddressMaxRequestsActive`). */
const AT_ONCE = 2

/** Asks one ERDDAP over HTTP: only the configured address, no redirects, bounded in bytes and time. */
export class ApplicationClient {
  readonly #http: HttpClient
  readonly #options: ApplicationOptions

  constructor(options: ApplicationOptions) {
    this.#options = options
    this.#http = new HttpClient({ url: options.url, silenceMs: options.timeoutMs })
  }

  /** Asks for version, status and list of datasets. An ERDDAP that does not answer is an answer. */
  async look(op: Op): Promise<Application> {
    let version: string
    try {
      const answer = await this.#get('/version', LIMITS.pageBytes, op)
      version = /^ERDDAP_version=(\S{1,40})/.exec(answer.text)?.[1] ?? ''
      if (answer.status !== 200 || version === '') return { is: 'down', why: `no ERDDAP answers at ${this.#http.url}` }
    } catch (error) {
      op.signal?.throwIfAborted()
      return { is: 'down', why: messageOf(error) }
    }
    // The list comes after the status: what the status says has ended must be seen in the list.
    const status = await this.#page('/status.html', op)
    const listing = await this.#page('/tabledap/allDatasets.csv0?datasetID%2Cclass', op, LIMITS.listingBytes)
    return {
      is: 'up',
      version,
      status: status === undefined ? undefined : parseStatusPage(status),
      listing: listing === undefined ? undefined : parseListing(listing),
    }
  }

  /** The /info pages of `ids`. An id that is asked for after ERDDAP stopped answering is `unreachable`. */
  async serve(ids: readonly string[], op: Op): Promise<ReadonlyMap<string, Served>> {
    const served = new Map<string, Served>()
    await forEachLimited(ids, AT_ONCE, async (id) => {
      served.set(id, await this.#served(id, op))
    })
    return served
  }

  async #served(id: string, op: Op): Promise<Served> {
    if (!DATASET_ID.test(id)) return 'absent'
    try {
      const { status, text } = await this.#get(`/info/${id}/index.csv`, LIMITS.pageBytes, op)
      if (status === 200) return parseInfoPage(text)
      if (status === 404) return 'absent'
      return status === 401 ? 'private' : 'unreachable'
    } catch {
      op.signal?.throwIfAborted()
      return 'unreachable'
    }
  }

  async #page(path: string, op: Op, limit: number = LIMITS.pageBytes): Promise<string | undefined> {
    try {
      const { status, text } = await this.#get(path, limit, op)
      return status === 200 ? text : undefined
    } catch {
      op.signal?.throwIfAborted()
      return undefined
    }
  }

  async #get(path: string, limit: number, op: Op): Promise<{ readonly status: number; readonly text: string }> {
    const { clock, timeoutMs } = this.#options
    return await withDeadline(clock, timeoutMs, async (late) => {
      const signal = op.signal === undefined ? late : AbortSignal.any([op.signal, late])
      const answer = await this.#http.send({ method: 'GET', path, signal })
      const body = await readBody(answer, limit)
      return { status: answer.statusCode ?? 0, text: body.toString('utf8') }
    })
  }
}

/** Undefined when there is no end of it: a part would look as if the rest were not served. */
function parseListing(csv: string): ReadonlyMap<string, string> | undefined {
  const listing = new Map<string, string>()
  let rows = 0
  for (const [id = '', type = ''] of parseCsv(csv)) {
    rows += 1
    if (rows > LIMITS.datasets) return undefined
    if (DATASET_ID.test(id) && id !== 'allDatasets') listing.set(id, type)
  }
  return listing
}
