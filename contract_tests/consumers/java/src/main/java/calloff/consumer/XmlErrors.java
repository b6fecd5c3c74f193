package calloff.consumer;

import calloff.clients.tencentci.CiError;
import java.io.StringReader;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/** Reads the errors of CI, which come in XML. */
final class XmlErrors {
  private XmlErrors() {}

  // #region xml
  /**
   * Reads an error of CI. A document type is refused, so there are no entities but those of XML.
   */
  static Optional<CiError> ciError(String text) {
    XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
    factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
    try {
      var characters = new StringReader(text.replaceFirst("^\uFEFF", ""));
      XMLStreamReader reader = factory.createXMLStreamReader(characters);
      Map<String, String> members = new HashMap<>();
      while (reader.hasNext() && reader.next() != XMLStreamConstants.START_ELEMENT) {
        if (reader.getEventType() == XMLStreamConstants.DTD) {
          return Optional.empty();
        }
      }
      reader.require(XMLStreamConstants.START_ELEMENT, null, "Error");
      while (reader.nextTag() == XMLStreamConstants.START_ELEMENT) {
        members.put(reader.getLocalName(), text(reader));
      }
      return error(members);
    } catch (XMLStreamException e) {
      return Optional.empty();
    }
  }

  /** Reads to the end of an element; what is inside of elements in it is not known to anybody. */
  private static String text(XMLStreamReader reader) throws XMLStreamException {
    StringBuilder text = new StringBuilder();
    int depth = 1;
    while (depth > 0) {
      switch (reader.next()) {
        case XMLStreamConstants.START_ELEMENT -> depth++;
        case XMLStreamConstants.END_ELEMENT -> depth--;
        default -> text.append(depth == 1 && reader.isCharacters() ? reader.getText() : "");
      }
    }
    return text.toString();
  }

  private static Optional<CiError> error(Map<String, String> members) {
    CiError error =
        new CiError()
            .code(members.remove(CiError.JSON_PROPERTY_CODE))
            .message(members.remove(CiError.JSON_PROPERTY_MESSAGE))
            .requestId(members.remove(CiError.JSON_PROPERTY_REQUEST_ID))
            .traceId(members.remove(CiError.JSON_PROPERTY_TRACE_ID));
    members.forEach(error::putAdditionalProperty);
    boolean whole =
        error.getCode() != null
            && error.getMessage() != null
            && error.getRequestId() != null
            && error.getTraceId() != null;
    return whole ? Optional.of(error) : Optional.empty();
  }
  // #endregion
}
