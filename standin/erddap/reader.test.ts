import { describe, expect, test } from 'vitest'
import { Reader, ReaderError } from './reader.ts'

const HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n'

function reader(text: string | Buffer, envParsing = false): Reader {
  return new Reader(Buffer.from(text), { envParsing, root: 'erddapDatasets' })
}

function latin1(declared: string): Buffer {
  return Buffer.from(`<?xml version="1.0" ${declared}?><erddapDatasets><a>\u00e9</a></erddapDatasets>`, 'latin1')
}

/** The text of the first element in the root. */
function content(read: Reader): string {
  read.next()
  read.next()
  return read.content
}

/** The tags after the root, with the text before each. */
function walk(inside: string): string[] {
  const read = reader(`${HEAD}<erddapDatasets>${inside}</erddapDatasets>`)
  const seen: string[] = []
  while (read.path !== '</erddapDatasets>') {
    const tag = read.next()
    seen.push(read.content === '' ? tag : `${read.content}|${tag}`)
  }
  return seen
}

describe('the start of the file', () => {
  test.each([
    ['a byte order mark', '\uFEFF<?xml version="1.0" ?>\n<erddapDatasets></erddapDatasets>'],
    ['no declaration', '<erddapDatasets></erddapDatasets>'],
    ['white space before the declaration', ` ${HEAD}<erddapDatasets></erddapDatasets>`],
    ['a DOCTYPE', `${HEAD}<!DOCTYPE erddapDatasets>\n<erddapDatasets></erddapDatasets>`],
    ['another root', `${HEAD}<datasets></datasets>`],
    ['nothing', ''],
  ])('%s stops the reading', (_, text) => {
    expect(() => reader(text)).toThrow(ReaderError)
  })

  test('a comment and a second processing instruction before the root are no harm', () => {
    expect(reader(`${HEAD}<?xml-stylesheet href="a"?><!-- x --><erddapDatasets/>`).path).toBe('<erddapDatasets>')
  })
})

describe('encoding', () => {
  test('a declaration in double quotes counts', () => {
    expect(content(reader(latin1('encoding="ISO-8859-1"')))).toBe('\u00e9')
  })

  test('a declaration in single quotes does not: the file is taken as UTF-8', () => {
    expect(content(reader(latin1(`encoding='ISO-8859-1'`)))).toBe('\uFFFD')
  })

  test('from 2.29 on the file is decoded as UTF-8 first, whatever it declares', () => {
    expect(content(reader(latin1('encoding="ISO-8859-1"'), true))).not.toBe('\u00e9')
    expect(content(reader(`${HEAD}<erddapDatasets><a>\u00e9</a></erddapDatasets>`, true))).toBe('\u00e9')
  })

  test('an encoding that nobody knows stops the reading', () => {
    expect(() => reader(latin1('encoding="none-such"'))).toThrow(ReaderError)
  })
})

describe('text', () => {
  test('is trimmed, keeps its line feeds, loses its carriage returns, and comments split nothing', () => {
    expect(walk('<a> one\r\n  two<!-- a > b --> three </a>')).toEqual(['a', 'one\n  two three|/a', '/erddapDatasets'])
  })

  test('CDATA keeps what looks like an entity', () => {
    expect(walk('<a><![CDATA[<b> &amp; ]]></a>')[1]).toBe('<b> &amp;|/a')
  })

  test('HTML names of Latin-1 and numbers are decoded; other names and numbers from 65535 on stay as they are', () => {
    expect(walk('<a>&deg;&eacute;&#233;&#xE9; &apos;&alpha;&#65535;&#128512;</a>')[1]).toBe(
      '°ééé &apos;&alpha;&#65535;&#128512;|/a',
    )
  })

  test('a raw > in an attribute value ends the tag, and with it the reading', () => {
    expect(() => walk('<a x="1>2"></a>')).toThrow(/has no end quotes/)
  })
})

test('the line is the one the reader stands at, also in the error of a tag that was never closed', () => {
  const read = reader(`${HEAD}<erddapDatasets>\n<a>\n\n</b>`)
  expect(read.next()).toBe('a')
  expect(read.line).toBe(3)
  expect(() => read.next()).toThrow(/line #5: End tag <\/b> doesn't have a matching start tag/)
  expect(read.isOpen).toBe(false)
})

test('a file cut off anywhere never reaches the end of the root', () => {
  const whole = `${HEAD}<erddapDatasets>\n<dataset type="T" datasetID="a"><!-- c --><x><![CDATA[d]]></x>\n</dataset>\n</erddapDatasets>`
  for (let length = 0; length < whole.length; length += 1) {
    expect(() => {
      const read = reader(whole.slice(0, length))
      while (read.path !== '</erddapDatasets>') read.next()
    }, `cut at ${length}`).toThrow(ReaderError)
  }
})
