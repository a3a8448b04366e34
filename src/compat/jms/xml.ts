import { SaxesParser } from 'saxes'
import { FlotillaError } from '../../core/errors.ts'

export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly parent: XmlElement | undefined
  readonly children: readonly XmlElement[]
  /** As much of it as is kept. */
  readonly text: string
}

export interface XmlLimits {
  readonly elements: number
  /** How many characters are kept of each text. */
  readonly text: number
}

const DEPTH_MAX = 200

class Open implements XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly parent: Open | undefined
  readonly children: Open[] = []
  text = ''

  constructor(name: string, attributes: Readonly<Record<string, string>>, parent: Open | undefined) {
    this.name = name
    this.attributes = attributes
    this.parent = parent
    parent?.children.push(this)
  }
}

/** The root of a document. Throws `BAD_REQUEST` for what is malformed, has a document type, or is over a limit. */
export function readXml(document: string, limits: XmlLimits): XmlElement {
  const parser = new SaxesParser({ xmlns: false, position: false })
  let root: Open | undefined
  let inner: Open | undefined
  let [count, depth] = [0, 0]
  parser.on('error', (error) => refuse(error.message))
  parser.on('doctype', () => refuse('it has a document type'))
  parser.on('opentag', ({ name, attributes }) => {
    if (++count > limits.elements) refuse(`it has more than ${limits.elements} elements`)
    if (++depth > DEPTH_MAX) refuse('its elements are nested too deeply')
    inner = new Open(name, attributes, inner)
    root ??= inner
  })
  const addText = (text: string): void => {
    if (inner !== undefined && inner.text.length < limits.text) inner.text = (inner.text + text).slice(0, limits.text)
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('closetag', () => {
    depth--
    inner = inner?.parent
  })
  parser.write(document).close()
  return root ?? refuse('it has no element')
}

function refuse(why: string): never {
  throw new FlotillaError('BAD_REQUEST', `not XML that is read: ${why}`)
}
