import { matchesGlob } from 'node:path'
import { type Element, made } from './xml.ts'

/** What belongs to each node: left out of the portable form, and kept from the node's own file when one is placed. */
export interface OverlayRule {
  /** Paths of the data directory it holds for: `global.xml`, `workspaces/*\/*\/datastore.xml`. */
  readonly path: string
  /** From below the root: `settings/proxyBaseUrl`, `connectionParameters/entry[@key=host]`. */
  readonly element: string
}

/** Addresses and sizes that follow from the machine. `imageProcessing` is what `jai` is called from GeoServer 3.0. */
const DEFAULTS: readonly OverlayRule[] = [
  { path: 'global.xml', element: 'settings/proxyBaseUrl' },
  { path: 'global.xml', element: 'proxyBaseUrl' },
  { path: 'global.xml', element: 'jai' },
  { path: 'global.xml', element: 'imageProcessing' },
  { path: 'global.xml', element: 'coverageAccess' },
  { path: 'logging.xml', element: 'location' },
]

interface Step {
  readonly name: string
  readonly attribute?: readonly [name: string, value: string]
}

type Way = readonly Step[]

/** What belongs to each node: addresses and sizes always, and what its configuration adds. */
export class Overlay {
  readonly #rules: readonly { readonly isFor: (path: string) => boolean; readonly way: Way }[]

  /** Throws an Error that names the rule for an element that is not of the form above. */
  constructor(further: readonly OverlayRule[] = []) {
    this.#rules = [...DEFAULTS, ...further].map(({ path, element }) => ({ isFor: matcher(path), way: wayOf(element) }))
  }

  /** `root` without what belongs to the node, nor what is empty once that is gone. */
  without(path: string, root: Element): Element {
    return this.#waysOf(path).reduce(
      (element, way) => removed(element, way) ?? made(element.name, [], element.attributes),
      root,
    )
  }

  /** `root` with what belongs to the node, as `own`, its file until now, has it. */
  with(path: string, root: Element, own: Element): Element {
    const ways = this.#waysOf(path)
    // A release of a node that keeps less to itself has values of its own there.
    return ways.length === 0 ? root : ways.reduce((element, way) => put(element, own, way), this.without(path, root))
  }

  #waysOf(path: string): readonly Way[] {
    const ways = this.#rules.filter(({ isFor }) => isFor(path))
    return ways.length === 0 ? NONE : ways.map(({ way }) => way)
  }
}

const NONE: readonly Way[] = []

/** Asked for every file: a path that is no glob is compared as it is. */
function matcher(rule: string): (path: string) => boolean {
  return /[*?[\]{}!]/.test(rule) ? (path) => matchesGlob(path, rule) : (path) => path === rule
}

const STEP = /^([\w.:-]+)(?:\[@([\w.:-]+)=([^\]]+)\])?$/

function wayOf(element: string): Way {
  return element.split('/').map((text) => {
    const [, name, attribute, value] = STEP.exec(text) ?? []
    if (name === undefined)
      throw new Error(`${JSON.stringify(element)} is no path of elements such as settings/proxyBaseUrl`)
    return attribute === undefined || value === undefined ? { name } : { name, attribute: [attribute, value] }
  })
}

function isAt({ name, attributes }: Element, step: Step): boolean {
  return name === step.name && (step.attribute === undefined || attributes[step.attribute[0]] === step.attribute[1])
}

/** Undefined if nothing is left of it. */
function removed(element: Element, way: Way): Element | undefined {
  const [step, ...further] = way
  if (step === undefined) return undefined
  if (!element.children.some((child) => isAt(child, step))) return element
  const children = element.children.flatMap((child) => (isAt(child, step) ? (removed(child, further) ?? []) : child))
  return children.length === 0 ? undefined : made(element.name, children, element.attributes)
}

function put(element: Element, own: Element, way: Way): Element {
  const [step, ...further] = way
  if (step === undefined) return own
  const theirs = own.children.filter((child) => isAt(child, step))
  if (theirs.length === 0) return element
  if (further.length === 0) return made(element.name, [...element.children, ...theirs], element.attributes)
  const [first] = theirs
  if (first === undefined || !reaches(first, further)) return element
  const inside = element.children.find((child) => isAt(child, step))
  const changed = put(inside ?? made(first.name, [], first.attributes), first, further)
  const children =
    inside === undefined
      ? [...element.children, changed]
      : element.children.map((child) => (child === inside ? changed : child))
  return made(element.name, children, element.attributes)
}

function reaches(element: Element, [step, ...further]: Way): boolean {
  return step === undefined || element.children.some((child) => isAt(child, step) && reaches(child, further))
}
