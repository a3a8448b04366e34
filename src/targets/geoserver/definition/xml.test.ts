import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Element, made, readXml, writeXml } from './xml.ts'

const read = (text: string) => readXml(Buffer.from(text))

test.for([
  ['a half-written file', '<layer>\n  <name>sta', 'XML_MALFORMED', 2],
  ['an end tag that is missing', '<layer><name>x</layer>', 'XML_MALFORMED', 1],
  ['an empty file', '', 'XML_MALFORMED', 1],
  ['a file of white space', '\n \n', 'XML_MALFORMED', 1],
  ['a DOCTYPE', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', 'XML_DOCTYPE', 1],
  ['an unknown entity', '<a>\n&nbsp;</a>', 'XML_MALFORMED', 2],
  ['bytes behind the end', '<a/>\u0000', 'XML_MALFORMED', 1],
  ['text beside elements', '<a>\n<b/> lost</a>', 'XML_FORM', 2],
  ['a nesting without end', '<a>'.repeat(70), 'XML_TOO_DEEP', 1],
  ['another encoding than it says', '<?xml version="1.0" encoding="klingon"?><a/>', 'XML_ENCODING', 1],
] as const)('%s is told with its place', ([, text, code, line]) => {
  const fault = read(text)
  expect(fault).toMatchObject({ code, line })
  expect('root' in fault ? 0 : fault.column).toBeGreaterThan(0)
})

test('bytes that are no UTF-8 are refused', () => {
  expect(readXml(Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e]))).toMatchObject({ code: 'XML_ENCODING' })
})

test('white space between tags and comments go, text stays to the letter', () => {
  const { root } = document('<a>\n  <!-- no -->\n  <b> x\n y </b><c>\n</c><d> </d><e><![CDATA[1 < 2]]>&amp;3</e></a>')
  expect(root.children.map(({ name, text }) => [name, text])).toEqual([
    ['b', ' x\n y '],
    ['c', ''],
    ['d', ' '],
    ['e', '1 < 2&3'],
  ])
})

test('an element knows its line and column', () => {
  const { root, placeOf } = document('<a>\n  <b x="1"/>\n</a>')
  expect(placeOf(root.children[0] ?? root)).toEqual({ line: 2, column: 3 })
})

const name = fc.stringMatching(/^[A-Za-z_][\w.-]{0,8}$/)
// What XML can hold at all.
const text = fc.string({ unit: 'binary' }).map((value) => value.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, '?'))
const tree: fc.Memo<Element> = fc.memo((depth) => {
  const attributes = fc.dictionary(name, text, { maxKeys: 2, noNullPrototype: false })
  const leaf = fc.tuple(name, text, attributes).map(([tag, content, with_]) => made(tag, content, with_))
  if (depth <= 1) return leaf
  const branch = fc.array(tree(depth - 1), { minLength: 1, maxLength: 3 })
  return fc.oneof(
    leaf,
    fc.tuple(name, branch, attributes).map(([tag, inside, with_]) => made(tag, inside, with_)),
  )
})

test('what is written is read again', () => {
  fc.assert(
    fc.property(tree(4), (element) => {
      expect(plain(document(writeXml(element)).root)).toEqual(plain(element))
    }),
  )
})

function plain({ name: tag, attributes, children, text: content }: Element): unknown {
  const isLayout = /^[ \t\n\r]*\n[ \t\n\r]*$/.test(content)
  return [tag, Object.entries(attributes), children.map(plain), isLayout ? '' : content]
}

function document(source: string) {
  const found = read(source)
  if (!('root' in found)) throw new Error(found.message)
  return found
}
