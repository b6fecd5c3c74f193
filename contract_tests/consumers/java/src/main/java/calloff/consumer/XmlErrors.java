package calloff.consumer;

import calloff.clients.tencentci.CiError;
import java.io.StringReader;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/** Reads what CI tells in XML. */
final class XmlErrors {
  private static final int MAX_LEVEL = 16;

  private XmlErrors() {}

  // #region xml
  /** Reads an error of CI; one that tells no more than its code is one. */
  static Optional<CiError> ciError(String text) {
    Map<String, Object> members = element(text, "Error");
    if (!(members.remove(CiError.JSON_PROPERTY_CODE) instanceof String code)) {
      return Optional.empty();
    }
    CiError error = new CiError().code(code);
    error.message(taken(members, CiError.JSON_PROPERTY_MESSAGE));
    error.requestId(taken(members, CiError.JSON_PROPERTY_REQUEST_ID));
    error.traceId(taken(members, CiError.JSON_PROPERTY_TRACE_ID));
    members.forEach(error::putAdditionalProperty);
    return Optional.of(error);
  }

  private static String taken(Map<String, Object> members, String name) {
    return members.remove(name) instanceof String text ? text : null;
  }

  /**
   * Reads the members of the one element of an answer, none where it cannot be read. A document
   * type is refused, so there are no entities but those of XML.
   */
  static Map<String, Object> element(String text, String name) {
    XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
    factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
    try {
      var characters = new StringReader(text.replaceFirst("^\uFEFF", ""));
      XMLStreamReader reader = factory.createXMLStreamReader(characters);
      while (reader.hasNext() && reader.next() != XMLStreamConstants.START_ELEMENT) {
        if (reader.getEventType() == XMLStreamConstants.DTD) {
          return new HashMap<>();
        }
      }
      reader.require(XMLStreamConstants.START_ELEMENT, null, name);
      Map<String, Object> members = members(reader, 1);
      members.remove("");
      return members;
    } catch (XMLStreamException e) {
      return new HashMap<>();
    }
  }

  /** Reads to the end of an element: texts, and members with members of their own. */
  private static Map<String, Object> members(XMLStreamReader reader, int level)
      throws XMLStreamException {
    Map<String, Object> members = new HashMap<>();
    StringBuilder text = new StringBuilder();
    while (reader.next() != XMLStreamConstants.END_ELEMENT) {
      if (reader.isStartElement()) {
        if (level > MAX_LEVEL) {
          throw new XMLStreamException("too deep");
        }
        String name = reader.getLocalName();
        Map<String, Object> inner = members(reader, level + 1);
        Object value = inner.remove("");
        // What is there twice is nothing that this program knows.
        members.merge(name, inner.isEmpty() ? value : inner, (one, other) -> List.of(one, other));
      } else if (reader.isCharacters()) {
        text.append(reader.getText());
      }
    }
    members.put("", text.toString());
    return members;
  }
  // #endregion
}
