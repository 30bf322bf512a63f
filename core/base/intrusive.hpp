// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

namespace hv {

/// A place in one List; lives inside the object that is listed. Never copied: its neighbours point
/// at it.
class Link {
 public:
  constexpr Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  bool linked() const { return next_ != nullptr; }

  /// Leaves whatever list it is in; nothing happens when it is in none.
  void unlink() {
    if (!next_) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    next_ = prev_ = nullptr;
  }

 private:
  template <typename, typename>
  friend class List;
  Link* next_ = nullptr;
  Link* prev_ = nullptr;
};

/// A doubly linked list of objects that its caller owns: no allocation, removal from the middle in
/// constant time. T derives from Tag, Tag derives from Link; the Tag says which of an object's
/// several places this list uses.
template <typename T, typename Tag>
class List {
 public:
  List() { head_.next_ = head_.prev_ = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const { return head_.next_ == &head_; }
  /// To the end; out of whatever list it was in.
  void push_back(T& object) {
    Link& link = static_cast<Tag&>(object);
    link.unlink();
    link.prev_ = head_.prev_;
    link.next_ = &head_;
    head_.prev_->next_ = &link;
    head_.prev_ = &link;
  }
  T* front() const { return empty() ? nullptr : object_of(head_.next_); }
  T* after(T& object) const {
    Link* next = static_cast<Tag&>(object).next_;
    return next == &head_ ? nullptr : object_of(next);
  }
  T* pop_front() {
    T* first = front();
    if (first) static_cast<Tag&>(*first).unlink();
    return first;
  }
  /// Calls `visit(object)` for each; it may unlink the object it was given, and no other.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (Link* at = head_.next_; at != &head_;) {
      Link* next = at->next_;
      visit(*object_of(at));
      at = next;
    }
  }

 private:
  static T* object_of(Link* link) { return static_cast<T*>(static_cast<Tag*>(link)); }
  Link head_;
};

}  // namespace hv
