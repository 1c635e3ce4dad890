// Reads what statefleet writes to the topology object: a ConfigMap in Kubernetes' protobuf encoding.

// fields goes through the fields of a message that have a length; numbers are skipped.
function* fields(message) {
  let at = 0;
  const varint = () => {
    let value = 0, shift = 1;
    for (;;) {
      const byte = message[at++];
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
      shift *= 128;
    }
  };
  while (at < message.length) {
    const tag = varint();
    if (tag % 8 === 0) {
      varint();
      continue;
    }
    if (tag % 8 !== 2) throw new Error(`field ${tag >> 3} has wire type ${tag % 8}`);
    const length = varint();
    yield [tag >> 3, message.subarray(at, at + length)];
    at += length;
  }
}

const field = (message, number) => [...fields(message)].find(([n]) => n === number)?.[1] ?? Buffer.alloc(0);

// decodeConfigMap returns the data and the version of a ConfigMap.
export function decodeConfigMap(body) {
  const object = field(body.subarray(4), 2); // behind the magic number stands runtime.Unknown
  const data = {};
  for (const [number, entry] of fields(object)) {
    if (number === 2) data[field(entry, 1).toString()] = field(entry, 2).toString();
  }
  return {data, resourceVersion: field(field(object, 1), 6).toString()};
}
