/** Names of the characters 160 to 255, in order: with amp, lt, gt and quot the only entities ERDDAP knows. */
const LATIN_1 = `nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr
deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest
Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml
ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig
agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml
eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml`

const NAMED = new Map([
  ...LATIN_1.split(/\s+/).map((name, index): [string, string] => [name, String.fromCharCode(160 + index)]),
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
])

const CHAR_MAX = 0xffff
const REACH = 80

/**
 * ERDDAP's XML.decodeEntities: an entity it does not know (`&apos;` and `&alpha;` are among them) and a number from
 * 65,535 on stay as literal text.
 */
export function decodeEntities(text: string): string {
  let out = ''
  let at = 0
  for (;;) {
    const start = text.indexOf('&', at)
    if (start < 0) return out + text.slice(at)
    out += text.slice(at, start)
    const end = text.indexOf(';', start + 1)
    if (end < 0 || end >= start + 1 + REACH) {
      out += '&'
      at = start + 1
      continue
    }
    out += decodeOne(text.slice(start + 1, end)) ?? text.slice(start, end + 1)
    at = end + 1
  }
}

function decodeOne(name: string): string | undefined {
  const number = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name)
  if (number === null) return NAMED.get(name)
  const code = number[1] === undefined ? Number(number[2]) : Number.parseInt(number[1], 16)
  return code < CHAR_MAX ? String.fromCharCode(code) : undefined
}
