/** Radius of the sphere of EPSG:900913, in metres. */
const RADIUS = 6_378_137

const HALF_CIRCLE = 180
const EXPONENT_FROM = 1e7

/** A box of degrees in metres of EPSG:900913, written as Java writes doubles. */
export function mercator(box: readonly string[]): readonly string[] {
  return box.map((value, at) => {
    const degrees = Number(value)
    return javaDouble(at % 2 === 0 ? easting(degrees) : northing(degrees))
  })
}

function easting(degrees: number): number {
  return (RADIUS * degrees * Math.PI) / HALF_CIRCLE
}

function northing(degrees: number): number {
  return RADIUS * Math.log(Math.tan(Math.PI / 4 + (degrees * Math.PI) / HALF_CIRCLE / 2))
}

/** `1.6396348036387505E7` from ten million on, `-5289335.41` below. */
function javaDouble(value: number): string {
  if (Math.abs(value) < EXPONENT_FROM) return Number.isInteger(value) ? `${value}.0` : String(value)
  const [digits = '', exponent = ''] = value.toExponential().split('e+')
  return `${digits.includes('.') ? digits : `${digits}.0`}E${exponent}`
}
