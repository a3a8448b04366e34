import { brokenOff, type LoadError, loadErrors } from './load-errors.ts'

/** What ERDDAP's status.html tells about its datasets. Read leniently: what is not found is undefined or empty. */
export interface StatusPage {
  /** When ERDDAP started, rounded down to the second; undefined when it does not say so with a time zone. */
  readonly startedAtMs: number | undefined
  /** Whether it says that it is loading. Older versions say so of major loads only, and none does between two datasets. */
  readonly loading: boolean
  /**
   * Why the last *major* load could not load datasets, by id; loads caused by flags are not counted here. Since version
   * 2.25, unless switched off with `showLoadErrorsOnStatusPage`.
   */
  readonly errors: ReadonlyMap<string, LoadError>
  /** The last load that stopped before the end of datasets.xml; stays until the next major load. */
  readonly brokenOff: LoadError | undefined
}

/** Reads status.html of versions 2.18 to 2.31 (EDStatic.addIntroStatistics). */
export function parseStatusPage(html: string): StatusPage {
  const text = decode(/<pre>([\s\S]*?)(?:<\/pre>|$)/.exec(html)?.[1] ?? html)
  const started = /^Startup was at +(\S+)/m.exec(text)?.[1]
  return {
    startedAtMs: started === undefined ? undefined : parseTime(started),
    loading:
      /^Last major LoadDatasets started .* is still running\./m.test(text) ||
      /^Currently, \w+ LoadDatasets is loading/m.test(text),
    errors: loadErrors(text),
    brokenOff: brokenOff(text),
  }
}

/** A time of ERDDAP such as `2026-11-20T10:00:00-08:00`; without its zone it would be a guess. */
function parseTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', amp: '&', nbsp: ' ' }

/** Undoes ERDDAP's XML.encodeAsHTML. */
function decode(html: string): string {
  return html.replace(/&(?:#(\d{1,5})|#x([0-9a-fA-F]{1,4})|(\w{2,6}));/g, (whole, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCharCode(Number(decimal))
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex as string, 16))
    return ENTITIES[name as string] ?? whole
  })
}
