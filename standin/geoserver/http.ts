import { rootFromJson, toJson } from './json.ts'
import { escapeXml, type Element, element, parseXml, writeXml } from './xml.ts'
import type { World } from './world.ts'

export type Format = 'json' | 'xml'

/** A request, taken apart. */
export interface Ask {
  readonly world: World
  readonly method: string
  /** Path below `/geoserver`, decoded, without `.json` or `.xml` at its end. */
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Content type without parameters. */
  readonly type: string
  readonly body: Buffer
  readonly accept: string
  readonly format: Format
  /** Such as `http://127.0.0.1:8080/geoserver`. */
  readonly base: string
}

export interface Answer {
  readonly status: number
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export type Handler = (ask: Ask) => Answer | Promise<Answer>

/** A refusal: GeoServer's `RestException`, with its words as plain text. */
export class Refusal extends Error {
  readonly status: number
  /** Whether the servlet container tells it, with its page of HTML. */
  readonly page: boolean

  constructor(status: number, message: string, page = false) {
    super(message)
    this.status = status
    this.page = page
  }
}

export function text(status: number, body = '', headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, ...(body === '' ? {} : { type: 'text/plain', body }) }
}

export const done: Answer = { status: 200 }

/** The answer to a POST that made something. */
export function created({ base }: Ask, path: string, name: string): Answer {
  return text(201, name, { location: `${base}/rest/${path}` })
}

/** An element as XML or JSON, as was asked. */
export function show({ format }: Ask, xml: Element, status = 200): Answer {
  if (format === 'xml') return { status, type: 'application/xml', body: writeXml(xml) }
  return { status, type: 'application/json', body: JSON.stringify({ [xml.name]: toJson(xml) }) }
}

export function json(value: unknown, status = 200): Answer {
  return { status, type: 'application/json', body: JSON.stringify(value) }
}

/** The payload; its root must be one of these. */
export function payload({ type, body }: Ask, ...roots: readonly string[]): Element {
  const source = body.toString('utf8')
  const isJson = type.includes('json')
  if (!isJson && !type.includes('xml')) throw new Refusal(415, '')
  let found: Element
  try {
    found = isJson ? rootFromJson(source) : parseXml(source)
  } catch (error) {
    throw new Refusal(isJson ? 400 : 500, error instanceof Error ? error.message : String(error))
  }
  if (!roots.includes(found.name)) throw new Refusal(500, `${found.name} : ${found.name}`)
  return found
}

/** A list of links such as `{"workspaces": {"workspace": [{name, href}]}}`; an empty one is `""`. */
export function list(
  ask: Ask,
  outer: string,
  inner: string,
  entries: readonly { name: string; href: string }[],
): Answer {
  const rows = entries.map(({ name, href }) => ({ name, href: `${ask.base}/rest/${href}.${ask.format}` }))
  if (ask.format === 'json') return json({ [outer]: rows.length === 0 ? '' : { [inner]: rows } })
  const children = rows.map(({ name, href }) => element(inner, [element('name', name), atomLink(href, 'xml')]))
  return show(ask, element(outer, children))
}

/** A link to another object; `href` with its ending. */
export function atomLink(href: string, format: Format): Element {
  return element('atom:link', undefined, {
    'xmlns:atom': 'http://www.w3.org/2005/Atom',
    rel: 'alternate',
    href,
    type: `application/${format}`,
  })
}

/** An error as Jetty shows it. */
export function jettyPage(status: number, message: string, path: string): Answer {
  const told = escapeXml(message)
  const rows = [`URI:</th><td>${escapeXml(path)}`, `STATUS:</th><td>${status}`, `MESSAGE:</th><td>${told}`]
  const table = [...rows, 'SERVLET:</th><td>dispatcher'].map((row) => `<tr><th>${row}</td></tr>`).join('\n')
  const body = `<html>
<head>
<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>
<title>Error ${status} ${told}</title>
</head>
<body><h2>HTTP ERROR ${status} ${told}</h2>
<table>
${table}
</table>
<hr/><a href="https://jetty.org/">Powered by Jetty:// 9.4.57.v20241219</a><hr/>

</body>
</html>
`
  return { status, type: 'text/html;charset=iso-8859-1', body }
}
