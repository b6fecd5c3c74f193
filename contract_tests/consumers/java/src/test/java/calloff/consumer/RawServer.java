package calloff.consumer;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Notes the bytes of every request, and answers with the bytes it was given. */
final class RawServer implements AutoCloseable {
  private final ServerSocket listener;
  private final Thread thread = new Thread(this::serve);
  private final List<String> seen = new CopyOnWriteArrayList<>();
  private final byte[] answer;
  private final boolean ends;

  private RawServer(byte[] answer, boolean ends) throws IOException {
    this.answer = answer.clone();
    this.ends = ends;
    listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    thread.start();
  }

  static RawServer answering(String status, String headers, String body) throws IOException {
    String head = "HTTP/1.1 " + status + "\r\nConnection: close\r\n" + headers + "\r\n";
    return new RawServer((head + body).getBytes(ISO_8859_1), true);
  }

  static RawServer answering(String status, String body) throws IOException {
    return answering(status, "Content-Length: " + body.length() + "\r\n", body);
  }

  /** Keeps the connection open after what it sends. */
  static RawServer stalling(String text) throws IOException {
    return new RawServer(text.getBytes(ISO_8859_1), false);
  }

  String endpoint() {
    return "http://127.0.0.1:" + listener.getLocalPort();
  }

  /** Returns the head of every request. */
  List<String> seen() {
    return List.copyOf(seen);
  }

  private void serve() {
    try {
      while (true) {
        try (Socket socket = listener.accept()) {
          seen.add(head(socket.getInputStream()));
          send(socket);
        }
      }
    } catch (SocketException e) {
      // Closed.
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void send(Socket socket) throws IOException {
    try {
      socket.getOutputStream().write(answer);
      socket.getOutputStream().flush();
      if (!ends) {
        socket.getInputStream().transferTo(OutputStream.nullOutputStream());
      }
    } catch (SocketException e) {
      // The client has heard enough.
    }
  }

  private static String head(InputStream input) throws IOException {
    var head = new ByteArrayOutputStream();
    while (!head.toString(ISO_8859_1).endsWith("\r\n\r\n")) {
      int next = input.read();
      if (next < 0) {
        break;
      }
      head.write(next);
    }
    return head.toString(ISO_8859_1);
  }

  @Override
  public void close() throws IOException {
    listener.close();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
