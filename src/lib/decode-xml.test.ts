import { describe, expect, test } from 'vitest'
import { type Decoded, decodeXml, textOf } from './decode-xml.ts'

const UTF8 = '<a>Zürich – 20 °C 😀</a>'
const latin1 = (text: string) => Buffer.from(text, 'latin1')

function read(bytes: Uint8Array): Decoded {
  const decoded = decodeXml(bytes)
  if ('code' in decoded) throw new Error(decoded.message)
  return decoded
}

describe('what is read', () => {
  test.each([
    ['without a declaration', Buffer.from(UTF8), UTF8],
    ['with a byte order mark', Buffer.from(`\uFEFF${UTF8}`), UTF8],
    ['declared', Buffer.from(`<?xml version='1.0' encoding='utf-8' standalone="yes" ?>${UTF8}`), ' '.repeat(56) + UTF8],
    [
      'over two lines',
      Buffer.from(`<?xml version="1.0"\nencoding="UTF-8"?>${UTF8}`),
      `${' '.repeat(19)}\n${' '.repeat(18)}${UTF8}`,
    ],
  ])('UTF-8 %s', (_, bytes, text) => {
    const decoded = read(bytes)
    expect(textOf(decoded)).toBe(text)
    expect(decoded.utf8.subarray(-Buffer.byteLength(UTF8)).toString()).toBe(UTF8)
  })

  test.each([
    ['ISO-8859-1 in double quotes', latin1('<?xml version="1.0" encoding="ISO-8859-1" ?><a>é</a>'), 'é'],
    ['ISO-8859-1 in single quotes', latin1("<?xml version='1.0' encoding='iso-8859-1'?><a>é</a>"), 'é'],
    ['windows-1252', latin1('<?xml version="1.0" encoding="windows-1252"?><a>\x93é\x94</a>'), '“é”'],
  ])('%s, turned into UTF-8', (_, bytes, content) => {
    const decoded = read(bytes)
    expect(textOf(decoded).trim()).toBe(`<a>${content}</a>`)
    expect(decoded.warning).toBeUndefined()
  })
})

describe('what is refused, with its place', () => {
  test.each([
    ['UTF-16 with a mark', Buffer.from('\uFEFF<a/>', 'utf16le'), 1, 1],
    ['UTF-16 without', Buffer.from('<a/>', 'utf16le'), 1, 1],
    [
      'bytes that are not UTF-8',
      Buffer.concat([Buffer.from('<a>é\n😀 x'), Buffer.from([0xe9]), Buffer.from('</a>')]),
      2,
      4,
    ],
    ['half a character at the end', Buffer.from('<a>é').subarray(0, 4), 1, 4],
    ['a byte that ISO-8859-1 has not', latin1('<?xml version="1.0" encoding="ISO-8859-1"?>\n<a>\x93</a>'), 2, 4],
    ['a byte that windows-1252 has not', latin1('<?xml version="1.0" encoding="windows-1252"?>\n<a>\x81</a>'), 2, 4],
    ['an encoding nobody needs', Buffer.from('<?xml version="1.0" encoding="EBCDIC-CP-US"?><a/>'), 1, 1],
  ])('%s', (_, bytes, line, column) => {
    expect(decodeXml(bytes)).toMatchObject({ code: 'XML_ENCODING', line, column })
  })
})

test('UTF-8 under the name of another encoding is read as declared, with a warning', () => {
  const decoded = decodeXml(Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?>\n<a>é</a>'))
  expect(decoded).toMatchObject({ warning: { code: 'XML_ENCODING', line: 2, column: 4 } })
})
