// Decodes what statefleet writes to the topology's ConfigMap, which is in Kubernetes' protobuf encoding.

// fields yields number and content of the length-delimited fields of a message. It skips varints.
function* fields(message) {
  let offset = 0;
  const varint = () => {
    let value = 0, shift = 1;
    for (;;) {
      const byte = message[offset++];
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
      shift *= 128;
    }
  };
  while (offset < message.length) {
    const tag = varint();
    if (tag % 8 === 0) {
      varint();
      continue;
    }
    if (tag % 8 !== 2) throw new Error(`field ${tag >> 3} has wire type ${tag % 8}`);
    const length = varint();
    yield [tag >> 3, message.subarray(offset, offset + length)];
    offset += length;
  }
}

const field = (message, number) => [...fields(message)].find(([n]) => n === number)?.[1] ?? Buffer.alloc(0);

// decodeConfigMap returns the data and the resourceVersion of a ConfigMap.
export function decodeConfigMap(body) {
  const object = field(body.subarray(4), 2); // runtime.Unknown follows the magic number
  const data = {};
  for (const [number, entry] of fields(object)) {
    if (number === 2) data[field(entry, 1).toString()] = field(entry, 2).toString();
  }
  return {data, resourceVersion: field(field(object, 1), 6).toString()};
}
